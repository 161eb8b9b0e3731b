import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";

/** A value with a button that copies it. */
export function Copy({ text, what }: { text: string; what: string }) {
  return <CopyToClipboard variant="inline" textToCopy={text} copyButtonAriaLabel={`Copy ${what}`} copySuccessText={`${what} copied`} copyErrorText={`${what} could not be copied`} />;
}
