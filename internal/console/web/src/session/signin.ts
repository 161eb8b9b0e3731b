/**
 * The sign-in endpoints (internal/signin), which are the only ones that answer
 * without a signed request.
 */

/** Who is signed in. */
export interface Identity {
  signedIn: true;
  type: "Root" | "IAMUser" | "AssumedRole" | "FederatedUser";
  account: string;
  alias?: string;
  arn: string;
  userId: string;
  userName?: string;
  mfa: boolean;
  region: string;
  expiration: string;
}

/** Nobody is signed in; needs says what is lacking. */
export interface Nobody {
  signedIn: false;
  needs?: ("mfaCode" | "newPassword")[];
}

export interface Attempt {
  email?: string;
  account?: string;
  userName?: string;
  password: string;
  newPassword?: string;
  mfaCode?: string;
}

/** A refusal, with the server's own words for the user. */
export class SignInError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = code;
  }
}

async function call<T>(path: string, body?: object): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: body ? "POST" : "GET",
      headers: body ? { "Content-Type": "application/json", "X-Thingd-Csrf": "1" } : {},
      body: body && JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
    });
  } catch {
    throw new SignInError(0, "NetworkingError", "The server cannot be reached.");
  }
  const content: unknown = await answer.json().catch(() => undefined);
  if (!answer.ok || content === undefined) {
    const { code, message } = (content ?? {}) as { code?: string; message?: string };
    throw new SignInError(answer.status, code ?? "InternalFailure", message ?? `The server answered with the status ${answer.status}.`);
  }
  return content as T;
}

export const session = () => call<Identity | Nobody>("/signin/session");
export const signIn = (attempt: Attempt) => call<Identity | Nobody>("/signin", attempt);
export const changePassword = (password: string, newPassword: string) => call<Identity>("/signin/password", { password, newPassword });
export const signOut = () => call<Nobody>("/signin/signout", {});

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: string;
}
export const credentials = () => call<Keys>("/signin/credentials", {});
