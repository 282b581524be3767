// Reads flowcharts with Mermaid's own parser: a JSON list of texts from standard input, and for each
// an object with its nodes and edges, or with the error, to standard output.

import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

// Mermaid cleans labels with a tool that needs a document.
const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ securityLevel: "strict", maxTextSize: 1e9 });

// Its parser keeps "#35;" as letters that no one writes, until the label is drawn.
function lines(label) {
  const text = label.replace(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCodePoint(Number(code)));
  return text.replaceAll("\u2060", "").split(/<br\s*\/?>/);
}

async function read(text) {
  try {
    await mermaid.parse(text);
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const nodes = [...db.getVertices().values()].map((one) => [one.id, lines(one.text)]);
    const edges = db
      .getEdges()
      .map((one) => [one.start, one.end, one.text ? lines(one.text) : []]);
    return { nodes, edges };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

const answers = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  answers.push(await read(text));
}
process.stdout.write(JSON.stringify(answers));
