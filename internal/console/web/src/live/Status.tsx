import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { State } from "./connection";

/** Whether there is a connection, in a word. */
export function Status({ state }: { state: State }) {
  switch (state.of) {
    case "connected":
      return <StatusIndicator type="success">Connected</StatusIndicator>;
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
