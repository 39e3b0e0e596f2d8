import { answered, api } from '$lib/api/client';
import type { Page } from '$lib/api/resource.svelte';
import type { AdminPayout, Earnings, Flag, Payout, PlatformMoney, TopUp, Transaction, Wallet, WalletEntry, WalletMonth } from '$lib/api/types';

export const entry_types = ['top_up', 'gift_sent', 'gift_received', 'payout', 'refund', 'adjustment'] as const;
export type EntryType = (typeof entry_types)[number];
export type EntryFilter = { type?: EntryType; from?: string; to?: string };

const with_key = (key: string) => ({ 'Idempotency-Key': key });
const after = (cursor: string | undefined) => (cursor === undefined ? {} : { cursor });

export function getWallet(): Promise<Wallet> {
  return answered(api.GET('/api/v1/wallet'));
}
/** Repeated with the same key, it is the same top-up. */
export function startTopUp(amount: number, currency: string, key: string): Promise<TopUp> {
  return answered(api.POST('/api/v1/wallet/top_ups', { params: { header: with_key(key) }, body: { amount, currency } }));
}
export function getTopUp(top_up_id: string): Promise<TopUp> {
  return answered(api.GET('/api/v1/wallet/top_ups/{top_up_id}', { params: { path: { top_up_id } } }));
}
export function endSandboxCheckout(top_up_id: string, outcome: 'paid' | 'failed'): Promise<TopUp> {
  return answered(api.POST('/api/v1/payments/sandbox/{top_up_id}', { params: { path: { top_up_id } }, body: { outcome } }));
}
export function listEntries(filter: EntryFilter, cursor: string | undefined): Promise<Page<WalletEntry>> {
  return answered(api.GET('/api/v1/wallet/transactions', { params: { query: { ...filter, ...after(cursor) } } }));
}
export function csvHref(filter: EntryFilter): string {
  const query = new URLSearchParams(filter).toString();
  return `/api/v1/wallet/transactions.csv${query ? `?${query}` : ''}`;
}
export async function listWalletMonths(): Promise<WalletMonth[]> {
  return (await answered(api.GET('/api/v1/wallet/months'))).items;
}

export function getEarnings(): Promise<Earnings> {
  return answered(api.GET('/api/v1/earnings'));
}
export async function listEarningsMonths() {
  return (await answered(api.GET('/api/v1/earnings/months'))).items;
}
export function listPayouts(cursor: string | undefined): Promise<Page<Payout>> {
  return answered(api.GET('/api/v1/earnings/payouts', { params: { query: after(cursor) } }));
}
export function requestPayout(amount: number, key: string): Promise<Payout> {
  return answered(api.POST('/api/v1/earnings/payouts', { params: { header: with_key(key) }, body: { amount } }));
}

export function getMoney(): Promise<PlatformMoney> {
  return answered(api.GET('/api/v1/admin/money'));
}
export async function getRevenue(days: number) {
  return (await answered(api.GET('/api/v1/admin/money/revenue', { params: { query: { days } } }))).items;
}
export function listTransactions(cursor: string | undefined): Promise<Page<Transaction>> {
  return answered(api.GET('/api/v1/admin/transactions', { params: { query: after(cursor) } }));
}
export function reverseTransaction(transaction_id: string, reason: string, key: string) {
  return answered(
    api.POST('/api/v1/admin/transactions/{transaction_id}/reverse', {
      params: { path: { transaction_id }, header: with_key(key) },
      body: { reason }
    })
  );
}
export async function listWaitingPayouts(status: 'requested' | 'approved'): Promise<AdminPayout[]> {
  return (await answered(api.GET('/api/v1/admin/payouts', { params: { query: { status, limit: 100 } } }))).items;
}
export type Decision = 'approve' | 'paid' | 'refuse' | 'failed';
export function decidePayout(decision: Decision, payout_id: string, reason: string): Promise<AdminPayout> {
  const params = { path: { payout_id } };
  if (decision === 'approve' || decision === 'paid') return answered(api.POST(`/api/v1/admin/payouts/{payout_id}/${decision}`, { params }));
  return answered(api.POST(`/api/v1/admin/payouts/{payout_id}/${decision}`, { params, body: { reason } }));
}
export async function listFlags(): Promise<Flag[]> {
  return (await answered(api.GET('/api/v1/admin/flags', { params: { query: { limit: 100 } } }))).items;
}
export function dismissFlag(flag_id: string): Promise<Flag> {
  return answered(api.POST('/api/v1/admin/flags/{flag_id}/dismiss', { params: { path: { flag_id } } }));
}
