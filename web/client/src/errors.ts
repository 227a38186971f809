// What goes wrong, with a code that a program can look at.

export type CometErrorCode =
  | 'aborted' | 'forbidden' | 'invalid' | 'refused' | 'stopped' | 'too_long' | 'too_many' | 'too_slow' | 'unanswered'
  | 'unavailable'

export class CometError extends Error {
  override readonly name = 'CometError'

  constructor(
    readonly code: CometErrorCode,
    text: string,
    /** The number the node gave: of an `error` frame, or of the close. */
    readonly number?: number,
  ) {
    super(text)
  }

  static ofNode(number: number, text: string): CometError {
    return new CometError(CODES[number] ?? 'refused', text, number)
  }
}

const CODES: { readonly [number: number]: CometErrorCode } = {
  400: 'invalid', 403: 'forbidden', 413: 'too_long', 429: 'too_many', 503: 'unavailable',
}
