import Alert from "@cloudscape-design/components/alert";
import type { Fault } from "../api";

/** The tab of what all stages share; no stage has that name. */
export const script = "(script)";

/** The tab of the editor where a fault is; nothing: it is elsewhere in the model. */
export const stageOf = (f: Fault): string | undefined => f.stage ?? (f.line ? script : undefined);

/** FaultList says what the server finds wrong with a model; a fault of a stage leads to it. */
export function FaultList({ faults, onStage }: { faults: Fault[]; onStage: (stage: string) => void }) {
  if (faults.length === 0) return null;
  return (
    <Alert type="error" header="The device model cannot run as it is">
      {faults.slice(0, 20).map((f, i) => {
        const stage = stageOf(f);
        return (
          <div key={i} className="words">
            {stage ? (
              <button type="button" className="fault" onClick={() => onStage(stage)}>
                {f.message}
              </button>
            ) : (
              f.message
            )}
          </div>
        );
      })}
    </Alert>
  );
}
