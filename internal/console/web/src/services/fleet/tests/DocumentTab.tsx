import { useCallback, useState } from "react";
import { checkJSON, JsonEditor } from "../../../kit/JsonEditor";
import type { Fault } from "../../../policy/json";
import { documentOf, readModel, type Model } from "../model";

/** DocumentTab edits the whole model as the JSON document that it is. */
export function DocumentTab({ model, onChange }: { model: Model; onChange: (m: Model) => void }) {
  const [text, setText] = useState(() => documentOf(model));
  const check = useCallback((t: string): Fault[] => {
    const own = checkJSON(t);
    if (own.length) return own;
    const read = readModel(t);
    return "fault" in read ? [{ line: 1, column: 1, message: read.fault }] : [];
  }, []);
  return (
    <JsonEditor
      label="Device model"
      value={text}
      height={560}
      check={check}
      onChange={(t) => {
        setText(t);
        const read = readModel(t);
        if (!("fault" in read)) onChange(read);
      }}
    />
  );
}
