/** The reasons of MQTT 5 that a server has for a refusal (MQTT 5, 2.4). */
const reasons: Record<number, string> = {
  128: "Unspecified error",
  129: "Malformed packet",
  130: "Protocol error",
  131: "Implementation specific error",
  132: "Unsupported protocol version",
  133: "Client identifier not valid",
  134: "Bad user name or password",
  135: "Not authorized",
  136: "Server unavailable",
  137: "Server busy",
  138: "Banned",
  139: "Server shutting down",
  141: "Keep alive timeout",
  142: "Session taken over",
  143: "Topic filter invalid",
  144: "Topic name invalid",
  147: "Receive maximum exceeded",
  149: "Packet too large",
  150: "Message rate too high",
  151: "Quota exceeded",
  152: "Administrative action",
  153: "Payload format invalid",
  154: "Retain not supported",
  155: "QoS not supported",
  158: "Shared subscriptions not supported",
  159: "Connection rate exceeded",
  160: "Maximum connect time",
  161: "Subscription identifiers not supported",
  162: "Wildcard subscriptions not supported",
};

/** An answer of MQTT's that says no: its name is the reason code in words, its message why. */
export class Refused extends Error {
  constructor(
    readonly code: number,
    why?: string,
  ) {
    const word = reasons[code] ?? "Refused";
    super(why || word);
    this.name = `${word} (0x${code.toString(16).padStart(2, "0")})`;
  }
  /** Whether it is so by a policy, or for want of one. */
  get denied(): boolean {
    return this.code === 135;
  }
}

/** Lost says that there was no connection, or none any more. */
export class Lost extends Error {
  constructor(message = "The connection was lost.") {
    super(message);
    this.name = "ConnectionLost";
  }
}
