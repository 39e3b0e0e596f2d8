export const reaction_kinds = ['heart', 'fire', 'clap', 'laugh', 'wow'] as const;
export type ReactionKind = (typeof reaction_kinds)[number];
