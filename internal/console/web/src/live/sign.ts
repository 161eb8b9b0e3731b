import { Sha256 } from "@smithy/core/checksum";
import { SignatureV4 } from "@smithy/signature-v4";
import type { AwsCredentialIdentity } from "@smithy/types";

/** How long a signed address may be used to connect, in seconds: a connection that is there lasts on. */
const life = 300;

/**
 * signed is the address of MQTT over WebSocket at a server (https://host:4566),
 * signed in the query for iotdevicegateway. The session token follows the
 * signature, which does not cover it (AWS IoT Developer Guide, "MQTT over WebSocket").
 */
export async function signed(origin: string, region: string, { accessKeyId, secretAccessKey, sessionToken }: AwsCredentialIdentity, now = new Date()): Promise<string> {
  const { protocol, hostname, host } = new URL(origin);
  const secure = protocol === "https:";
  const signer = new SignatureV4({ service: "iotdevicegateway", region, sha256: Sha256, credentials: { accessKeyId, secretAccessKey } });
  const request = await signer.presign({ method: "GET", protocol: secure ? "wss:" : "ws:", hostname, path: "/mqtt", headers: { host } }, { expiresIn: life, signingDate: now });
  const query = Object.entries(request.query ?? {}).map(([k, v]) => `${encode(k)}=${encode(String(v))}`);
  if (sessionToken) query.push(`X-Amz-Security-Token=${encode(sessionToken)}`);
  return `${secure ? "wss" : "ws"}://${host}/mqtt?${query.join("&")}`;
}

// As signatures have it: encodeURIComponent leaves !'()* as they are.
const encode = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
