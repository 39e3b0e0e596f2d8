/** What the sender has, as the last answers told it. */
class Wallet {
  balance = $state<number | undefined>(undefined);
  #as_of = '';

  /** Answers to gifts that were on their way at once may come in another order: of one moment the least is what is left. */
  became(balance: number, as_of: string): void {
    if (as_of < this.#as_of) return;
    const is_same_moment = as_of === this.#as_of && this.balance !== undefined;
    this.balance = is_same_moment ? Math.min(balance, this.balance!) : balance;
    this.#as_of = as_of;
  }

  forget(): void {
    this.balance = undefined;
    this.#as_of = '';
  }
}

export const wallet = new Wallet();
