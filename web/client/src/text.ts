// What the original's library offered beside, and programs written for it have come to use.

export const Base64 = {
  encode(text: string): string {
    return btoa(Array.from(new TextEncoder().encode(text), byte => String.fromCharCode(byte)).join(''))
  },
  decode(text: string): string {
    return new TextDecoder().decode(Uint8Array.from(atob(text.replace(/[^A-Za-z0-9+/=]/g, '')), letter => letter.charCodeAt(0)))
  },
}

/** Takes one level of backslashes away, as PHP does. */
export function stripslashes(text: string): string {
  return text.replace(/\\(.?)/gs, (_, letter: string) => letter === '0' ? '\0' : letter)
}
