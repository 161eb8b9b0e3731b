import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { State } from "./connection";

/** Whether there is a connection, in a word; on says how it is called that there is. */
export function Status({ state, on = "Connected" }: { state: State; on?: string }) {
  switch (state.of) {
    case "connected":
      return <StatusIndicator type="success">{on}</StatusIndicator>;
    case "connecting":
      return <StatusIndicator type="in-progress">Connecting</StatusIndicator>;
    case "waiting":
      return <StatusIndicator type="pending">Reconnecting</StatusIndicator>;
    case "refused":
      return <StatusIndicator type="error">Refused</StatusIndicator>;
    case "closed":
      return <StatusIndicator type="stopped">Disconnected</StatusIndicator>;
  }
}
