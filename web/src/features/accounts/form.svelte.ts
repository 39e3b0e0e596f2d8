import { Problem, problemText } from '$lib/api/problem';
import { m } from '$lib/paraglide/messages.js';

/** What the server's refusals mean for the one who fills in a form, where its own words can be bettered. */
const reasons: Record<string, () => string> = {
  username_taken: m.error_username_taken,
  username_reserved: m.error_username_reserved,
  email_taken: m.error_email_taken,
  weak_password: m.error_weak_password,
  wrong_credentials: m.error_wrong_credentials,
  wrong_password: m.error_wrong_password,
  registration_closed: m.error_registration_closed,
  setup_required: m.error_setup_required,
  setup_done: m.error_setup_done,
  invalid_setup_token: m.error_invalid_setup_token,
  account_suspended: m.error_account_suspended,
  too_many_attempts: m.error_too_many_attempts
};
const fields_of_reasons: Record<string, string> = {
  username_taken: 'username',
  username_reserved: 'username',
  email_taken: 'email',
  wrong_password: 'current_password'
};

/** A form on its way to the server: busy while it is, then done or with an error at the field that is at fault. */
export class Form {
  busy = $state(false);
  /** What concerns the form as a whole. */
  error = $state<string | undefined>(undefined);
  errors = $state.raw<Record<string, string>>({});
  readonly #fields: readonly string[];

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  /** Returns whether it went well. What was typed stays either way. */
  async submit(run: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = undefined;
    this.errors = {};
    try {
      await run();
      return true;
    } catch (error) {
      this.refuse(Problem.from(error));
      return false;
    } finally {
      this.busy = false;
    }
  }

  refuse(problem: Problem): void {
    const text = reasons[problem.reason]?.() ?? problemText(problem);
    const field = problem.field ?? fields_of_reasons[problem.reason];
    if (field && this.#fields.includes(field)) this.errors = { [field]: text };
    else this.error = text;
  }
}
