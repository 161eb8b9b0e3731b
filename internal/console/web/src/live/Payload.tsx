import { memo, useEffect, useState } from "react";
import { show, type Display, type Shown } from "./payload";

/** A payload as it is to be shown. */
export const Payload = memo(function Payload({ payload, display }: { payload: Uint8Array; display: Display }) {
  const [shown, set] = useState<Shown>();
  useEffect(() => {
    let gone = false;
    void show(payload, display).then((s) => !gone && set(s));
    return () => {
      gone = true;
    };
  }, [payload, display]);
  if (payload.length === 0) return <em>Empty</em>;
  return (
    <pre className="payload" data-as={shown?.as} tabIndex={0} aria-label="Payload">
      {shown?.text}
    </pre>
  );
});
