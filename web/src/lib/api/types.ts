import type { components } from './schema';

type Schemas = components['schemas'];

export type Account = Schemas['Account'];
export type AdminPayout = Schemas['AdminPayout'];
export type Earnings = Schemas['Earnings'];
export type Flag = Schemas['Flag'];
export type FollowItem = Schemas['FollowItem'];
export type Gift = Schemas['Gift'];
export type Ingest = Schemas['Ingest'];
export type Instance = Schemas['Instance'];
export type Message = Schemas['Message'];
export type Payout = Schemas['Payout'];
export type Place = Schemas['Place'];
export type PlatformMoney = Schemas['PlatformMoney'];
export type Profile = Schemas['Profile'];
export type SentGift = Schemas['SentGift'];
export type Session = Schemas['Session'];
export type Stream = Schemas['Stream'];
export type StreamKey = Schemas['StreamKey'];
export type StreamKeyState = Schemas['StreamKeyState'];
export type TopUp = Schemas['TopUp'];
export type Transaction = Schemas['Transaction'];
export type UserSummary = Schemas['UserSummary'];
export type Wallet = Schemas['Wallet'];
export type WalletEntry = Schemas['WalletEntry'];
export type WalletMonth = Schemas['WalletMonth'];
