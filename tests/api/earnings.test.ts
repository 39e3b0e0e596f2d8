import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { balance_of, catalogue, money_settings, type OnAir, on_air, top_up, with_key } from '../lib/money.ts';
import { type Person, set_up, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { ok, problem, type Schemas, Visitor } from '../lib/visitor.ts';

describe('earnings', () => {
  let server: Server;
  let administrator: Person;
  let live: OnAir;
  let ada: Person;
  let gift: Schemas['Gift'];
  beforeAll(async () => {
    server = await Server.start({ settings: { ...money_settings, 'payout-holding-days': '0', 'payout-minimum': '7.00' } });
    administrator = await set_up(server, 'operator_1');
    live = await on_air(server);
    ada = await sign_up(server);
    await top_up(ada, 50_000);
    gift = (await catalogue(ada)).find(({ price }) => price >= 1_000 && price <= 2_000)!;
  });
  afterAll(async () => await server?.remove());

  const give = async () =>
    ok(
      await ada.api.POST('/api/v1/streams/{stream_id}/gifts', {
        params: { path: { stream_id: live.stream.id }, header: with_key() },
        body: { gift_id: gift.id },
      }),
    );
  const share = () => gift.price - Math.round(gift.price * 0.3);
  const earnings = async (who: Person = live.host) => ok(await who.api.GET('/api/v1/earnings'));
  const ask = (amount: number, key?: string, who: Person | Visitor = live.host) =>
    who.api.POST('/api/v1/earnings/payouts', { params: { header: with_key(key) }, body: { amount } });
  const decide = (decision: 'approve' | 'paid', payout_id: string, who: Person = administrator) =>
    who.api.POST(`/api/v1/admin/payouts/{payout_id}/${decision}`, { params: { path: { payout_id } } });
  const give_back = (decision: 'refuse' | 'failed', payout_id: string, reason: string) =>
    administrator.api.POST(`/api/v1/admin/payouts/{payout_id}/${decision}`, { params: { path: { payout_id } }, body: { reason } });
  const reverse = (transaction_id: string, who: Person = administrator, key?: string) =>
    who.api.POST('/api/v1/admin/transactions/{transaction_id}/reverse', {
      params: { path: { transaction_id }, header: with_key(key) },
      body: { reason: 'The card was stolen' },
    });

  it('grow by the streamer’s share of gifts', async () => {
    expect(await earnings()).toMatchObject({ balance: 0, available: 0, open_payout: null });
    await give();
    expect(await earnings()).toMatchObject({ balance: share(), on_hold: 0, available: share(), payout_minimum: 700 });
    expect(ok(await live.host.api.GET('/api/v1/earnings/months')).items).toMatchObject([{ gifts_count: 1, amount: gift.price, earned: share() }]);
    expect(await problem(new Visitor(server).api.GET('/api/v1/earnings'))).toBe('401 unauthenticated');
  });

  it('are asked for in the order of precedence', async () => {
    expect(await problem(ask(1, '', new Visitor(server)))).toBe('401 unauthenticated');
    expect(await problem(ask(1, ''))).toBe('400 invalid_idempotency_key Idempotency-Key');
    expect(await problem(ask(0))).toBe('400 invalid_field amount');
    expect(await problem(ask(699))).toBe('409 payout_below_minimum amount');
    expect(await problem(ask(share() + 1))).toBe('402 not_yet_available amount');
  });

  it('are paid out once an administrator has approved and paid', async () => {
    const asked = ok(await ask(700, 'once'));
    expect(asked).toMatchObject({ status: 'requested', amount: 700 });
    expect(ok(await ask(700, 'once')).id).toBe(asked.id);
    expect(await problem(ask(701, 'once'))).toBe('422 idempotency_key_reused Idempotency-Key');
    expect(await problem(ask(700))).toBe('409 payout_under_way');
    expect(await earnings()).toMatchObject({ balance: share() - 700, open_payout: { id: asked.id } });
    expect(await problem(decide('approve', asked.id, ada))).toBe('403 forbidden');
    expect(await problem(decide('paid', asked.id))).toBe('409 payout_decided');
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => problem(decide('approve', asked.id))));
    expect(outcomes.filter((outcome) => outcome === '200')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === '409 payout_decided')).toHaveLength(7);
    expect(ok(await decide('paid', asked.id))).toMatchObject({ status: 'paid', decided_by: { id: administrator.id } });
    expect(await problem(give_back('failed', asked.id, 'Too late'))).toBe('409 payout_decided');
    expect(ok(await live.host.api.GET('/api/v1/earnings/payouts')).items).toMatchObject([{ id: asked.id, status: 'paid' }]);
    const log = ok(await administrator.api.GET('/api/v1/admin/audit_log')).items;
    expect(log.map(({ action }) => action)).toEqual(expect.arrayContaining(['payout.paid', 'payout.approve']));
  });

  it('come back where a payout is refused or fails', async () => {
    await give();
    const before = (await earnings()).balance;
    const refused = ok(await ask(700));
    expect(ok(await give_back('refuse', refused.id, 'We do not know this account'))).toMatchObject({ status: 'refused', reason: 'We do not know this account' });
    expect((await earnings()).balance).toBe(before);
    const failed = ok(await ask(700));
    ok(await decide('approve', failed.id));
    ok(await give_back('failed', failed.id, 'The bank sent it back'));
    expect(await earnings()).toMatchObject({ balance: before, available: before, open_payout: null });
  });

  it('may be below zero after a gift was taken back, and then nothing is paid out', async () => {
    const { transaction_id } = await give();
    const rest = ok(await ask((await earnings()).available));
    const wallet = await balance_of(ada);
    expect(await problem(reverse(transaction_id, ada))).toBe('403 forbidden');
    const reversal = ok(await reverse(transaction_id, administrator, 'taken-back'));
    expect(ok(await reverse(transaction_id, administrator, 'taken-back'))).toEqual(reversal);
    expect(await problem(reverse(transaction_id))).toBe('409 already_reversed');
    expect(await problem(reverse(reversal.transaction_id))).toBe('409 not_reversible');
    expect(await problem(reverse(crypto.randomUUID()))).toBe('404 not_found');
    expect(await balance_of(ada)).toBe(wallet + gift.price);
    expect((await earnings()).balance).toBe(-share());
    expect(await problem(decide('approve', rest.id))).toBe('409 earnings_below_zero');
    ok(await give_back('refuse', rest.id, 'A gift was taken back'));
  });

  it('and everything else of the platform’s money add up for administrators', async () => {
    const money = ok(await administrator.api.GET('/api/v1/admin/money'));
    expect(money.wallets + money.earnings + money.revenue + money.payment_clearing + money.payout_clearing).toBe(0);
    expect(money.wallets).toBe(await balance_of(ada));
    expect(await problem(ada.api.GET('/api/v1/admin/money'))).toBe('403 forbidden');
    const days = ok(await administrator.api.GET('/api/v1/admin/money/revenue', { params: { query: { days: 30 } } })).items;
    expect(days).toHaveLength(30);
    expect(days.reduce((sum, { revenue }) => sum + revenue, 0)).toBe(money.revenue);
    const listed = ok(await administrator.api.GET('/api/v1/admin/transactions', { params: { query: { limit: 100 } } })).items;
    expect(listed.filter(({ reversed_by_id }) => reversed_by_id !== null).length).toBeGreaterThan(0);
  });
});
