import { createHmac } from 'node:crypto';
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { balance_of, catalogue, money_settings, on_air, top_up, with_key } from '../lib/money.ts';
import { all_pages, type Person, set_up, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { ok, problem, type Schemas, Visitor } from '../lib/visitor.ts';

const start = (who: Person | Visitor, amount: number, currency = 'USD', key?: string) =>
  who.api.POST('/api/v1/wallet/top_ups', { params: { header: with_key(key) }, body: { amount, currency } });
const found = async (who: Person, top_up_id: string) =>
  ok(await who.api.GET('/api/v1/wallet/top_ups/{top_up_id}', { params: { path: { top_up_id } } }));
const entries_of = (who: Person, query: { type?: Schemas['WalletEntry']['type']; from?: string; to?: string } = {}) =>
  all_pages<Schemas['WalletEntry']>(async (cursor) =>
    ok(await who.api.GET('/api/v1/wallet/transactions', { params: { query: { ...query, limit: 2, ...(cursor !== undefined && { cursor }) } } })),
  );

describe('a wallet with play money', () => {
  let server: Server;
  let ada: Person;
  beforeAll(async () => {
    server = await Server.start({ settings: { ...money_settings, currencies: 'USD,EUR=0.9221,JPY=151.3', 'top-up-max': '200.00' } });
    await set_up(server);
    ada = await sign_up(server);
  });
  afterAll(async () => await server?.remove());

  const end = (who: Person, top_up_id: string, outcome: 'paid' | 'failed') =>
    who.api.POST('/api/v1/payments/sandbox/{top_up_id}', { params: { path: { top_up_id } }, body: { outcome } });

  it('is empty, and says what can be paid', async () => {
    expect(ok(await ada.api.GET('/api/v1/wallet'))).toEqual({
      balance: 0,
      provider: 'sandbox',
      currencies: [
        { currency: 'USD', exchange_rate: 10_000, decimals: 2 },
        { currency: 'EUR', exchange_rate: 9_221, decimals: 2 },
        { currency: 'JPY', exchange_rate: 1_513_000, decimals: 0 },
      ],
      top_up_min: 100,
      top_up_max: 20_000,
    });
    expect(await problem(new Visitor(server).api.GET('/api/v1/wallet'))).toBe('401 unauthenticated');
  });

  it('is topped up between its limits, in the currencies that there are', async () => {
    expect(await problem(start(ada, 99))).toBe('400 amount_out_of_range amount');
    expect(await problem(start(ada, 100))).toBe('201');
    expect(await problem(start(ada, 20_000))).toBe('201');
    expect(await problem(start(ada, 20_001))).toBe('400 amount_out_of_range amount');
    expect(await problem(start(ada, 100, 'CHF'))).toBe('400 currency_not_offered currency');
    expect(await problem(start(ada, 100, 'USD', ''))).toBe('400 invalid_idempotency_key Idempotency-Key');
  });

  it('holds the money once the checkout was paid, and no sooner', async () => {
    const begun = ok(await start(ada, 1_000, 'JPY', 'yen'));
    expect(begun).toMatchObject({ status: 'pending', amount: 1_000, currency: 'JPY', paid_minor: 1_513, checkout_url: `/wallet/checkout/${begun.id}` });
    expect(ok(await start(ada, 1_000, 'JPY', 'yen'))).toEqual(begun);
    expect(await problem(start(ada, 1_001, 'JPY', 'yen'))).toBe('422 idempotency_key_reused Idempotency-Key');
    expect(await balance_of(ada)).toBe(0);
    const other = await sign_up(server);
    expect(await problem(end(other, begun.id, 'paid'))).toBe('404 not_found');
    const answers = await Promise.all(Array.from({ length: 20 }, () => problem(end(ada, begun.id, 'paid'))));
    expect(answers.every((answer) => answer === '200' || answer === '409 top_up_ended')).toBe(true);
    expect(await balance_of(ada)).toBe(1_000);
    expect(await found(ada, begun.id)).toMatchObject({ status: 'completed', checkout_url: null });
    const given_up = ok(await start(ada, 1_000));
    ok(await end(ada, given_up.id, 'failed'));
    expect(await problem(end(ada, given_up.id, 'paid'))).toBe('409 top_up_ended');
    expect(await balance_of(ada)).toBe(1_000);
  });

  it('has a history with what was in it after each line, by kind and time, also as CSV', async () => {
    const grace = await sign_up(server);
    const live = await on_air(server);
    const gift = (await catalogue(grace))[0]!;
    await top_up(grace, 500);
    const { transaction_id } = ok(
      await grace.api.POST('/api/v1/streams/{stream_id}/gifts', {
        params: { path: { stream_id: live.stream.id }, header: with_key() },
        body: { gift_id: gift.id },
      }),
    );
    await top_up(grace, 300);
    const entries = await entries_of(grace);
    expect(entries.map(({ type, wallet_change, wallet_balance }) => [type, wallet_change, wallet_balance])).toEqual([
      ['top_up', 300, 800 - gift.price],
      ['gift_sent', -gift.price, 500 - gift.price],
      ['top_up', 500, 500],
    ]);
    expect(entries[1]).toMatchObject({ id: transaction_id, person: { username: live.host.username }, gift: { name: gift.name } });
    expect(await entries_of(live.host)).toMatchObject([{ type: 'gift_received', amount: gift.price, wallet_change: null, person: { username: grace.username } }]);
    expect(await entries_of(grace, { type: 'gift_sent' })).toHaveLength(1);
    expect(await entries_of(grace, { to: entries[1]!.created_at })).toHaveLength(1);
    expect(await entries_of(grace, { from: entries[1]!.created_at })).toHaveLength(2);
    const csv = await grace.fetch('/api/v1/wallet/transactions.csv');
    const lines = (await csv.text()).trim().split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[2]).toContain(`,gift_sent,completed,${(gift.price / 100).toFixed(2)},-${(gift.price / 100).toFixed(2)},`);
    expect(ok(await grace.api.GET('/api/v1/wallet/months')).items).toMatchObject([{ topped_up: 800, gifts_sent: gift.price, gifts_earned: 0 }]);
  });
});

// As https://docs.stripe.com/api/checkout/sessions/create documents it.
class Stripe {
  readonly asked: { key: string | undefined; idempotency: string | undefined; fields: URLSearchParams }[] = [];
  private readonly http: HttpServer;

  private constructor() {
    this.http = createServer((request, response) => {
      let body = '';
      request.on('data', (data: Buffer) => (body += data.toString()));
      request.on('end', () => {
        const is_session = request.method === 'POST' && request.url === '/v1/checkout/sessions';
        this.asked.push({
          key: request.headers.authorization,
          idempotency: request.headers['idempotency-key'] as string | undefined,
          fields: new URLSearchParams(body),
        });
        const id = `cs_test_${this.asked.length}`;
        response.writeHead(is_session ? 200 : 404, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ id, object: 'checkout.session', url: `https://checkout.stripe.com/c/pay/${id}` }));
      });
    });
  }
  static async start(): Promise<Stripe> {
    const stripe = new Stripe();
    await new Promise<void>((resolve) => stripe.http.listen(0, '127.0.0.1', resolve));
    return stripe;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }
  async close(): Promise<void> {
    await new Promise((resolve) => this.http.close(resolve));
  }
}

describe('a wallet with Stripe', () => {
  const secret = 'whsec_of_the_tests';
  let server: Server;
  let stripe: Stripe;
  let ada: Person;
  beforeAll(async () => {
    stripe = await Stripe.start();
    server = await Server.start({
      settings: {
        payments: 'stripe',
        'stripe-url': stripe.url,
        'stripe-secret-key': 'sk_test_1',
        'stripe-webhook-secret': secret,
        currencies: 'USD,EUR=0.9221',
      },
    });
    await set_up(server);
    ada = await sign_up(server);
  });
  afterAll(async () => {
    await server?.remove();
    await stripe?.close();
  });

  const event = (type: string, object: Record<string, unknown>) => JSON.stringify({ id: `evt_${crypto.randomUUID()}`, type, data: { object } });
  const deliver = async (body: string, { age_s = 0, signed_with = secret } = {}) => {
    const time = Math.floor(Date.now() / 1000) - age_s;
    const digest = createHmac('sha256', signed_with).update(`${time}.${body}`).digest('hex');
    const response = await new Visitor(server).fetch('/api/v1/payments/stripe/webhook', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=${time},v1=${digest}` },
      body,
    });
    return response.ok ? String(response.status) : `${response.status} ${((await response.json()) as { type: string }).type.replace('/problems/', '')}`;
  };
  // A top-up of 10.00 USD in euros, and what Stripe says of it.
  const checkout = async () => {
    const begun = ok(await start(ada, 1_000, 'EUR'));
    const session = `cs_test_${stripe.asked.length}`;
    const payment = `pi_${stripe.asked.length}`;
    const paid = { id: session, payment_intent: payment, payment_status: 'paid', amount_total: 922, currency: 'eur' };
    const charge = { payment_intent: payment, amount: 922, currency: 'eur', metadata: { top_up_id: begun.id } };
    return { begun, paid, charge };
  };

  it('sends people to its checkout, once a top-up', async () => {
    const begun = ok(await start(ada, 1_000, 'EUR', 'a-top-up'));
    expect(begun).toMatchObject({ status: 'pending', provider: 'stripe', checkout_url: 'https://checkout.stripe.com/c/pay/cs_test_1' });
    expect(ok(await start(ada, 1_000, 'EUR', 'a-top-up'))).toEqual(begun);
    const [asked] = stripe.asked;
    expect(asked!.key).toMatch(/sk_test_1|^Basic /);
    expect(asked!.idempotency).toBeTruthy();
    expect(Object.fromEntries(asked!.fields)).toMatchObject({
      mode: 'payment',
      'line_items[0][price_data][currency]': 'eur',
      'line_items[0][price_data][unit_amount]': '922',
      'payment_intent_data[metadata][top_up_id]': begun.id,
    });
    ok(await ada.api.GET('/api/v1/wallet'));
    expect(await balance_of(ada)).toBe(0);
  });

  it('is believed only with its signature, and once', async () => {
    const { begun, paid } = await checkout();
    const body = event('checkout.session.completed', paid);
    expect(await deliver(body, { signed_with: 'whsec_of_another' })).toBe('400 invalid_signature');
    expect(await deliver(body, { age_s: 310 })).toBe('400 stale_signature');
    expect(await deliver(event('checkout.session.completed', { ...paid, amount_total: 921 }))).toBe('409 payment_mismatch');
    expect(await deliver(event('customer.created', { id: 'cus_1' }))).toBe('200');
    expect(await found(ada, begun.id)).toMatchObject({ status: 'pending' });
    const before = await balance_of(ada);
    expect(await Promise.all(Array.from({ length: 10 }, () => deliver(body)))).toEqual(Array.from({ length: 10 }, () => '200'));
    expect(await balance_of(ada)).toBe(before + 1_000);
  });

  it('takes back what was refunded or lost in a dispute, in whatever order that is told', async () => {
    const refunded = await checkout();
    const refund = event('charge.refunded', { ...refunded.charge, amount_refunded: 922 });
    expect(await deliver(refund)).toBe('409 payment_pending'); // Stripe sends it again
    const before = await balance_of(ada);
    expect(await deliver(event('checkout.session.completed', refunded.paid))).toBe('200');
    expect(await balance_of(ada)).toBe(before + 1_000);
    for (let i = 0; i < 2; i += 1) expect(await deliver(refund)).toBe('200');
    expect(await balance_of(ada)).toBe(before);
    expect(await found(ada, refunded.begun.id)).toMatchObject({ status: 'refunded' });

    const disputed = await checkout();
    expect(await deliver(event('checkout.session.completed', disputed.paid))).toBe('200');
    const dispute = { id: 'du_1', payment_intent: disputed.charge.payment_intent };
    expect(await deliver(event('charge.dispute.created', { ...dispute, status: 'needs_response' }))).toBe('200');
    expect(await found(ada, disputed.begun.id)).toMatchObject({ status: 'disputed' });
    expect(await balance_of(ada)).toBe(before + 1_000);
    expect(await deliver(event('charge.dispute.closed', { ...dispute, status: 'lost' }))).toBe('200');
    expect(await balance_of(ada)).toBe(before);
    expect((await entries_of(ada, { type: 'refund' })).map(({ wallet_change }) => wallet_change)).toEqual([-1_000, -1_000]);
  });

  it('has a webhook of at most 256 KiB', async () => {
    expect(await deliver(JSON.stringify({ type: 'x', pad: 'x'.repeat(256 * 1024 - 21) }))).toBe('200');
    expect(await deliver('x'.repeat(256 * 1024 + 1))).toBe('413 payload_too_large');
  });
});
