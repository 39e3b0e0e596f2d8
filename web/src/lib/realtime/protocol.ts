/** The frames of /api/v1/realtime as api/realtime.md describes them. */

export type Recover = { epoch: string; offset: number };

export type EventFrame = {
  type: 'event';
  topic: string;
  event: string;
  data: unknown;
  /** Only on topics that keep a history. */
  epoch?: string;
  offset?: number;
};

export type WelcomeFrame = {
  type: 'welcome';
  connection_id: string | number;
  user_id: string | null;
  ping_interval_seconds?: number;
};

export type AnswerFrame = { type: 'answer'; id: number; result?: unknown; error?: unknown };

export type ServerFrame = WelcomeFrame | AnswerFrame | EventFrame;

export type SubscribeResult = {
  topic: string;
  epoch?: string;
  offset?: number;
  recovered?: boolean;
  /** What was missed, oldest first. */
  messages?: Omit<EventFrame, 'type'>[];
  state?: unknown;
};

export const close_code = {
  restart: 1012,
  session_ended: 4401,
  too_slow: 4408,
  too_many_requests: 4429
} as const;
