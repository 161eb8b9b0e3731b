import type { AwsCredentialIdentityProvider } from "@smithy/types";
import { credentials, forget } from "./credentials";
import { region } from "./region";
import { SignInError } from "./signin";

interface Config {
  endpoint: string;
  region: string;
  credentials: AwsCredentialIdentityProvider;
  maxAttempts: number;
}

const clients = new Map<unknown, Map<string, unknown>>();

/**
 * The client of a service (IAMClient, IoTClient …) for the region that is
 * chosen: one for each, kept. All services have one endpoint, this server.
 */
export function aws<C>(make: new (config: Config) => C): C {
  let regions = clients.get(make);
  if (!regions) clients.set(make, (regions = new Map()));
  let client = regions.get(region()) as C | undefined;
  if (!client) {
    client = new make({ endpoint: location.origin, region: region(), credentials, maxAttempts: 3 });
    regions.set(region(), client);
  }
  return client;
}

let onEnd = (): void => {};

/** whenEnded says what is to be done when the session turns out to have ended. */
export function whenEnded(f: () => void): void {
  onEnd = f;
}

// What the APIs answer to credentials of a session that is no more.
const dead = new Set(["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"]);

/** noticed looks at an error of a call for the end of the session. */
export function noticed(error: unknown): void {
  if (error instanceof SignInError ? error.code === "NotSignedIn" : error instanceof Error && dead.has(error.name)) {
    forget();
    clients.clear();
    onEnd();
  }
}

/** Everything that is paged, in one list. */
export async function all<T, P>(page: (marker: string | undefined) => Promise<P>, items: (p: P) => T[] | undefined, next: (p: P) => string | undefined): Promise<T[]> {
  const list: T[] = [];
  for (let marker: string | undefined; ; ) {
    const p = await page(marker);
    list.push(...(items(p) ?? []));
    marker = next(p);
    if (!marker) return list;
  }
}
