import Alert from "@cloudscape-design/components/alert";
import type { Fault } from "../api";

/** FaultList says what the server finds wrong with a model; a fault of a stage leads to it. */
export function FaultList({ faults, onStage }: { faults: Fault[]; onStage: (stage: string) => void }) {
  if (faults.length === 0) return null;
  return (
    <Alert type="error" header="The device model cannot run as it is">
      {faults.slice(0, 20).map((f, i) => {
        const text = [f.stage && `stage ${f.stage}`, f.line && `line ${f.line}`].filter(Boolean).join(", ");
        const words = text && !f.message.startsWith("stage ") ? `${text}: ${f.message}` : f.message;
        return (
          <div key={i} className="words">
            {f.stage ? (
              <button type="button" className="fault" onClick={() => onStage(f.stage ?? "")}>
                {words}
              </button>
            ) : (
              words
            )}
          </div>
        );
      })}
    </Alert>
  );
}
