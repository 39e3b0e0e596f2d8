import type { Payout } from '$lib/api/types';
import { m } from '$lib/paraglide/messages.js';

export const payout_states: Record<Payout['status'], () => string> = {
  requested: m.payout_requested,
  approved: m.payout_approved,
  refused: m.payout_refused,
  paid: m.payout_paid,
  failed: m.payout_failed
};
