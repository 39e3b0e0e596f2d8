import { Problem, problemText } from './api/problem';

export type Toast = { id: number; kind: 'info' | 'error'; text: string };

const shown_ms = 5_000;
const shown_max = 3;

class Toasts {
  items = $state.raw<Toast[]>([]);
  #next_id = 1;

  info(text: string): void {
    this.#show('info', text);
  }

  problem(error: unknown): void {
    this.#show('error', problemText(Problem.from(error)));
  }

  dismiss(id: number): void {
    this.items = this.items.filter((toast) => toast.id !== id);
  }

  #show(kind: Toast['kind'], text: string): void {
    const id = this.#next_id++;
    this.items = [...this.items.filter((toast) => toast.text !== text), { id, kind, text }].slice(-shown_max);
    setTimeout(() => this.dismiss(id), shown_ms);
  }
}

export const toasts = new Toasts();
