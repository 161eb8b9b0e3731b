// The editor behind JsonEditor, loaded when the first one is shown. It makes no
// style elements, which the Content-Security-Policy forbids: its styles are files.
import ace from "ace-builds/src-noconflict/ace";
import "ace-builds/css/ace.css";
import "ace-builds/css/theme/cloud_editor.css";
import "ace-builds/css/theme/cloud_editor_dark.css";

ace.config.set("useStrictCSP", true);
ace.config.set("loadWorkerFromBlob", false);
await import("ace-builds/src-noconflict/ext-language_tools");
await import("ace-builds/src-noconflict/mode-json");
await import("ace-builds/src-noconflict/theme-cloud_editor");
await import("ace-builds/src-noconflict/theme-cloud_editor_dark");

export default ace;
