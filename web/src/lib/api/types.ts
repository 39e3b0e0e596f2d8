import type { components } from './schema';

type Schemas = components['schemas'];

export type Account = Schemas['Account'];
export type FollowItem = Schemas['FollowItem'];
export type Gift = Schemas['Gift'];
export type Ingest = Schemas['Ingest'];
export type Instance = Schemas['Instance'];
export type Message = Schemas['Message'];
export type Place = Schemas['Place'];
export type Profile = Schemas['Profile'];
export type SentGift = Schemas['SentGift'];
export type Session = Schemas['Session'];
export type Stream = Schemas['Stream'];
export type StreamKey = Schemas['StreamKey'];
export type StreamKeyState = Schemas['StreamKeyState'];
export type UserSummary = Schemas['UserSummary'];
