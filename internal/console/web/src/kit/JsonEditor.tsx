import Box from "@cloudscape-design/components/box";
import CodeEditor, { type CodeEditorProps } from "@cloudscape-design/components/code-editor";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { Ace } from "ace-builds";
import { useEffect, useMemo, useRef, useState } from "react";
import { isDark } from "../frame/look";
import { parseJSON, type Fault } from "../policy/json";

type AceModule = typeof import("./ace").default;

interface Props {
  label: string;
  value: string;
  onChange?: (text: string) => void; // none: it is only read
  /** What is wrong with a text; JSON's own grammar where it is left out. */
  check?: (text: string) => Fault[];
  /** What the server found wrong, with the text that it was told of. */
  refused?: { text: string; faults: Fault[] };
  height?: number;
  /** JavaScript's faults are those that check and refused tell. */
  language?: "json" | "javascript";
}

const none = (): Fault[] => [];

export const checkJSON = (text: string): Fault[] => {
  const read = parseJSON(text);
  return "fault" in read ? [read.fault] : [];
};

/**
 * JsonEditor is an editor of JSON, or of JavaScript, that marks what is wrong in the line where it
 * stands, and lists it below with line and column.
 */
export function JsonEditor({ label, value, onChange, language = "json", check = language === "json" ? checkJSON : none, refused, height = 420 }: Props) {
  const [ace, setAce] = useState<AceModule>();
  const [failed, setFailed] = useState(false);
  const [preferences, setPreferences] = useState<Partial<CodeEditorProps.Preferences>>();
  const editor = useRef<Ace.Editor>(undefined);

  const faults = useMemo(() => {
    const own = check(value);
    return own.length ? own : refused?.text === value ? refused.faults : [];
  }, [check, value, refused]);

  useEffect(() => {
    let gone = false;
    const load = async () => {
      const [m] = await Promise.all([import("./ace"), language === "javascript" && import("./acescript")]);
      return m;
    };
    load().then(
      (m) => !gone && setAce(() => m.default),
      () => !gone && setFailed(true),
    );
    return () => {
      gone = true;
    };
  }, [language]);

  // Cloudscape makes the editor itself and keeps it; its annotations are ours.
  const wrapped = useMemo(() => {
    if (!ace) return undefined;
    return {
      ...ace,
      edit: (element: HTMLElement, options?: object) => {
        const made = ace.edit(element, { ...options, useWorker: false } as never) as Ace.Editor;
        editor.current = made;
        made.setReadOnly(!onChange);
        made.setShowPrintMargin(false);
        return made;
      },
    };
    // Whether it can be edited does not change while it is shown.
  }, [ace]);

  useEffect(() => {
    const mark = () =>
      editor.current?.getSession().setAnnotations(faults.map((f) => ({ row: f.line - 1, column: f.column - 1, text: f.message, type: "error" })));
    mark();
    // The editor is made after this component is shown, and clears its marks with each new mode.
    const timer = setTimeout(mark, 0);
    return () => clearTimeout(timer);
  }, [faults, ace, preferences]);

  const jump = (f: Fault) => {
    editor.current?.gotoLine(f.line, f.column - 1, false);
    editor.current?.focus();
  };

  return (
    <SpaceBetween size="xs">
      <CodeEditor
        ace={failed ? undefined : wrapped}
        loading={!ace && !failed}
        language={language}
        value={value}
        ariaLabel={label}
        onDelayedChange={() => {}}
        onChange={({ detail }) => onChange?.(detail.value)}
        preferences={preferences}
        onPreferencesChange={({ detail }) => setPreferences(detail)}
        themes={{ light: ["cloud_editor"], dark: ["cloud_editor_dark"] }}
        editorContentHeight={height}
        data-dark={isDark()}
      />
      {faults.length > 0 && (
        <div role="status" aria-label={`Errors of ${label}`}>
          {faults.slice(0, 20).map((f) => (
            <Box key={`${f.line}:${f.column}:${f.message}`} color="text-status-error">
              <button type="button" className="fault" onClick={() => jump(f)}>
                Ln {f.line}, Col {f.column}: {f.message}
              </button>
            </Box>
          ))}
        </div>
      )}
    </SpaceBetween>
  );
}
