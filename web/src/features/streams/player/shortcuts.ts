export type PlayerAction =
  | 'toggle'
  | 'back'
  | 'forward'
  | 'back_a_little'
  | 'forward_a_little'
  | 'louder'
  | 'quieter'
  | 'mute'
  | 'fullscreen'
  | 'theatre'
  | 'chat';

const actions: Record<string, PlayerAction> = {
  ' ': 'toggle',
  k: 'toggle',
  j: 'back',
  l: 'forward',
  ArrowLeft: 'back_a_little',
  ArrowRight: 'forward_a_little',
  ArrowUp: 'louder',
  ArrowDown: 'quieter',
  m: 'mute',
  f: 'fullscreen',
  t: 'theatre',
  c: 'chat'
};

export type KeyPress = { key: string; ctrl: boolean; target_role: 'text' | 'button' | 'slider' | 'other' };

/** What a key does for the player; nothing while someone types, and never what the focused control does itself. */
export function playerAction(press: KeyPress): PlayerAction | undefined {
  if (press.ctrl || press.target_role === 'text') return undefined;
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  if (press.target_role === 'button' && key === ' ') return undefined;
  if (press.target_role === 'slider' && key.startsWith('Arrow')) return undefined;
  return actions[key];
}

export function keyPress(event: KeyboardEvent): KeyPress {
  const target = event.target instanceof Element ? event.target : null;
  const ctrl = event.ctrlKey || event.metaKey || event.altKey;
  let target_role: KeyPress['target_role'] = 'other';
  // In an open menu or dialog every key belongs to it.
  if (target?.closest('textarea, select, [contenteditable], [role="menu"], [role="dialog"], [role="textbox"]')) target_role = 'text';
  else if (target?.closest('input[type="range"], [role="slider"]')) target_role = 'slider';
  else if (target?.closest('input')) target_role = 'text';
  else if (target?.closest('button, a, [role="button"], [role="tab"]')) target_role = 'button';
  return { key: event.key, ctrl, target_role };
}
