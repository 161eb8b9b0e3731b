import { Sha256 } from "@smithy/core/checksum";
import { SignatureV4 } from "@smithy/signature-v4";
import { credentials } from "./credentials";
import { region } from "./region";

/** A refusal by an operation of thingd's own API, as the SDK's errors are. */
class OwnError extends Error {
  readonly $metadata: { requestId?: string; httpStatusCode: number };
  constructor(name: string, message: string, status: number, requestId?: string) {
    super(message);
    this.name = name;
    this.$metadata = { requestId, httpStatusCode: status };
  }
}

/**
 * own calls an operation of thingd's own API, for which AWS's SDK has no client,
 * signed as the SDK signs. It throws what the SDK would: an error named by its code.
 */
export async function own<T>(method: "GET" | "POST" | "PUT", path: string, body?: object): Promise<T> {
  const { protocol, hostname, port, host } = location;
  const signer = new SignatureV4({ credentials, region: region(), service: "thingd", sha256: Sha256 });
  const signed = await signer.sign({
    method,
    protocol,
    hostname,
    port: port ? Number(port) : undefined,
    path,
    headers: body ? { host, "content-type": "application/json" } : { host },
    body: body && JSON.stringify(body),
  });
  const { host: _, ...headers } = signed.headers; // the browser's own
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit" });
  const content = (await answer.json().catch(() => ({}))) as { message?: string; Message?: string };
  if (!answer.ok) {
    const code = answer.headers.get("x-amzn-errortype")?.split(":")[0] ?? `Status${answer.status}`;
    throw new OwnError(code, content.message ?? content.Message ?? `The server answered with the status ${answer.status}.`, answer.status, answer.headers.get("x-amzn-requestid") ?? undefined);
  }
  return content as T;
}
