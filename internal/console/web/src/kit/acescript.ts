// JavaScript for the editor, which has to be there before.
import "./ace";

await import("ace-builds/src-noconflict/mode-javascript");
await import("ace-builds/src-noconflict/snippets/javascript");
