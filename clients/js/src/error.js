/** What went wrong, in the words of the protocol: `status` is for programs, `text` for people. */
export class TroupeError extends Error {
    constructor(status, text, { retryAfterMs, cause } = {}) {
        super(`${status}: ${text}`, cause === undefined ? undefined : { cause });
        this.name = "TroupeError";
        this.status = status;
        this.text = text;
        this.retryAfterMs = retryAfterMs;
    }
}
