import { recall, remember } from './storage';

export type ThemeChoice = 'system' | 'dark' | 'light';

const key = 'spaktok.theme';

/** static/theme.js applies the same choice before the first paint. */
class Theme {
  choice = $state<ThemeChoice>(read());

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    remember(key, choice === 'system' ? null : choice);
    if (choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
  }
}

function read(): ThemeChoice {
  const stored = recall(key);
  return stored === 'dark' || stored === 'light' ? stored : 'system';
}

export const theme = new Theme();
