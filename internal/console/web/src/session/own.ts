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

/** What a call of one of thingd's own APIs has beside its path. */
interface Beside {
  service?: string; // the name that requests are signed for
  query?: Record<string, string | undefined>;
}

/** As signatures have it, which encodeURIComponent alone is not. */
const escaped = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

/**
 * own calls an operation of thingd's own APIs, for which AWS's SDK has no client,
 * signed as the SDK signs. It throws what the SDK would: an error named by its code.
 */
export async function own<T>(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: object, { service = "thingd", query: asked = {} }: Beside = {}): Promise<T> {
  const { protocol, hostname, port, host } = location;
  const query = Object.fromEntries(Object.entries(asked).filter((e): e is [string, string] => e[1] !== undefined));
  const signer = new SignatureV4({ credentials, region: region(), service, sha256: Sha256 });
  const signed = await signer.sign({
    method,
    protocol,
    hostname,
    port: port ? Number(port) : undefined,
    path,
    query,
    headers: body ? { host, "content-type": "application/json" } : { host },
    body: body && JSON.stringify(body),
  });
  const { host: _, ...headers } = signed.headers; // the browser's own
  const tail = Object.entries(query).map(([k, v]) => `${escaped(k)}=${escaped(v)}`).join("&");
  const answer = await fetch(path + (tail && "?" + tail), { method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit" });
  const content = (await answer.json().catch(() => ({}))) as { message?: string; Message?: string };
  if (!answer.ok) {
    const code = answer.headers.get("x-amzn-errortype")?.split(":")[0] ?? `Status${answer.status}`;
    throw new OwnError(code, content.message ?? content.Message ?? `The server answered with the status ${answer.status}.`, answer.status, answer.headers.get("x-amzn-requestid") ?? undefined);
  }
  return content as T;
}
