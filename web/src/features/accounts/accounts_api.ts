import { answered, api } from '$lib/api/client';
import type { components } from '$lib/api/schema';
import type { Account, Session } from '$lib/api/types';

type Schemas = components['schemas'];
export type SignUp = Omit<Schemas['SignUpRequest'], 'transport'>;
export type AccountChanges = Schemas['UpdateAccountRequest'];

/** Without `transport` the session comes as a cookie. */
export async function signUp(details: SignUp): Promise<Account> {
  return (await answered(api.POST('/api/v1/users', { body: details }))).user;
}

export async function setUp(details: SignUp & { token: string }): Promise<Account> {
  return (await answered(api.POST('/api/v1/setup', { body: details }))).user;
}

export async function signIn(login: string, password: string): Promise<Account> {
  return (await answered(api.POST('/api/v1/sessions', { body: { login, password } }))).user;
}

export function updateMe(changes: AccountChanges): Promise<Account> {
  return answered(api.PATCH('/api/v1/users/me', { body: changes }));
}

export async function changePassword(current_password: string, new_password: string): Promise<void> {
  await answered(api.PUT('/api/v1/users/me/password', { body: { current_password, new_password } }));
}

export function setPicture(picture: Blob): Promise<Account> {
  return answered(
    api.PUT('/api/v1/users/me/picture', {
      body: picture as unknown as string,
      bodySerializer: (body) => body as unknown as Blob,
      headers: { 'content-type': picture.type }
    })
  );
}

export async function removePicture(): Promise<void> {
  await answered(api.DELETE('/api/v1/users/me/picture'));
}

export async function listSessions(): Promise<Session[]> {
  return (await answered(api.GET('/api/v1/sessions'))).items;
}

export async function endSession(session_id: string): Promise<void> {
  await answered(api.DELETE('/api/v1/sessions/{session_id}', { params: { path: { session_id } } }));
}

export async function endOtherSessions(): Promise<void> {
  await answered(api.DELETE('/api/v1/sessions'));
}
