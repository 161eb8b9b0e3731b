import type { AwsCredentialIdentity } from "@smithy/types";
import * as signin from "./signin";

/**
 * The temporary credentials of who is signed in. They live in this module's
 * memory alone; after a reload they are asked for anew, by the session's cookie.
 */
let kept: Promise<AwsCredentialIdentity> | undefined;
let until = 0;

/** How long before their end credentials are renewed. */
const margin = 5 * 60_000;

/** Credentials in force. Throws SignInError where the session has ended. */
export function credentials(): Promise<AwsCredentialIdentity> {
  if (kept && Date.now() < until - margin) return kept;
  until = Infinity; // while they are on their way
  kept = signin.credentials().then(
    (k) => {
      const expiration = new Date(k.expiration);
      until = expiration.getTime();
      return { accessKeyId: k.accessKeyId, secretAccessKey: k.secretAccessKey, sessionToken: k.sessionToken, expiration };
    },
    (e: unknown) => {
      drop();
      throw e;
    },
  );
  return kept;
}

function drop(): void {
  kept = undefined;
  until = 0;
}

const ends = new Set<() => void>();

/** whenForgotten says what else ends with a session: what was opened with its credentials. */
export function whenForgotten(f: () => void): void {
  ends.add(f);
}

export function forget(): void {
  drop();
  for (const f of ends) f();
}
