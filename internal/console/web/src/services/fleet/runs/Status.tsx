import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";
import type { RunStatus } from "../api";
import type { DevicePhase } from "../report";

const shown: Record<RunStatus, [StatusIndicatorProps.Type, string]> = {
  QUEUED: ["pending", "Queued"],
  RUNNING: ["in-progress", "Running"],
  STOPPING: ["in-progress", "Stopping"],
  SUCCEEDED: ["success", "Succeeded"],
  FAILED: ["error", "Failed"],
  STOPPED: ["stopped", "Stopped"],
};

/** Status is that of a run. */
export function Status({ of }: { of: RunStatus }) {
  const [type, text] = shown[of] ?? ["info", of];
  return <StatusIndicator type={type}>{text}</StatusIndicator>;
}

const indicators: Record<DevicePhase, StatusIndicatorProps.Type> = {
  waiting: "pending",
  starting: "in-progress",
  connecting: "in-progress",
  running: "in-progress",
  finishing: "in-progress",
  finished: "success",
  failed: "error",
  stopped: "stopped",
};

export const nameOf = (phase: DevicePhase): string => phase.charAt(0).toUpperCase() + phase.slice(1);

/** Phase is where a device is. */
export function Phase({ of }: { of: DevicePhase }) {
  return <StatusIndicator type={indicators[of] ?? "info"}>{nameOf(of)}</StatusIndicator>;
}
