import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Modal from "@cloudscape-design/components/modal";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useRef, useState } from "react";
import { saveBlob } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction } from "../../../kit/load";
import { media, type Clock, type Fragment } from "../api";
import { bytes } from "../recordings";

/** What the browser holds at once, at most, before it is saved. */
const most = 1 << 30;
/** As many fragments are asked for at a time. */
const batch = 100;

/** Download saves fragments as one file. */
export function Download({ name, list, by, size, disabled }: { name: string; list: Fragment[]; by: Clock; size: number; disabled: boolean }) {
  const [open, setOpen] = useState(false);
  const [done, setDone] = useState(0);
  const [total, setTotal] = useState(0);
  const action = useAction();
  const stop = useRef<AbortController>(undefined);
  const large = size > most;

  const start = () => {
    const wanted = list;
    const abort = new AbortController();
    stop.current = abort;
    setDone(0);
    setTotal(size);
    setOpen(true);
    void action
      .run(async () => {
        const file = await together(name, wanted, abort.signal, setDone);
        if (!abort.signal.aborted) saveBlob(`${name}_${stamp(wanted[0]?.[by] ?? 0)}.mkv`, file);
      })
      .then((well) => (well || abort.signal.aborted) && setOpen(false));
  };
  const cancel = () => {
    stop.current?.abort();
    setOpen(false);
  };

  return (
    <>
      <Button iconName="download" disabled={disabled || list.length === 0 || large} disabledReason={large ? `${bytes(size)} are more than a browser can take at once: choose a shorter time.` : undefined} onClick={start}>
        Download as MKV
      </Button>
      <Modal
        visible={open}
        onDismiss={cancel}
        closeAriaLabel="Close"
        header="Download as MKV"
        footer={
          <Box float="right">
            <Button onClick={cancel}>{action.busy ? "Cancel" : "Close"}</Button>
          </Box>
        }
      >
        <SpaceBetween size="m">
          <ProgressBar value={total ? Math.min(100, (done / total) * 100) : 0} label={`${list.length} ${list.length === 1 ? "fragment" : "fragments"} of ${name}`} additionalInfo={`${bytes(done)} of about ${bytes(total)}`} status={action.error === undefined ? "in-progress" : "error"} />
          <ErrorBox error={action.error} what="The video was not downloaded" onRetry={start} />
        </SpaceBetween>
      </Modal>
    </>
  );
}

/** together fetches fragments, one behind the other. */
async function together(name: string, list: Fragment[], signal: AbortSignal, onProgress: (bytes: number) => void): Promise<Blob> {
  const parts: Blob[] = [];
  let done = 0;
  for (let i = 0; i < list.length; i += batch) {
    const some = list.slice(i, i + batch);
    const reader = (await media(name, some.map((f) => f.number), signal)).getReader();
    const chunks: Uint8Array[] = [];
    let got = 0;
    for (;;) {
      const { value, done: end } = await reader.read();
      if (end) break;
      if (signal.aborted) {
        await reader.cancel();
        return new Blob();
      }
      chunks.push(value);
      got += value.length;
      onProgress(done + got);
    }
    // The server ends where a fragment is not there any more.
    if (got < some.reduce((n, f) => n + f.size, 0)) throw new Error("The server sent less than it had listed: some of these fragments are gone by now. Refresh, and try again.");
    done += got;
    parts.push(new Blob(chunks as BlobPart[]));
  }
  return new Blob(parts, { type: "video/x-matroska" });
}

/** When a file begins, as its name can have it. */
const stamp = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, "Z").replaceAll(":", "-");
