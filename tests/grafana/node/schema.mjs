// Checks boards against the types of a newer Grafana: a JSON list of boards on stdin, a JSON list of complaints on stdout.
// What @grafana/schema types: the frame of a board, its panels, links, variables and annotations; of a panel its
// options by kind where it has types for them.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ts = createRequire(import.meta.url)('typescript')
const folder = dirname(fileURLToPath(import.meta.url))
const boards = JSON.parse(readFileSync(0, 'utf8'))
const name = join(folder, 'boards.ts')
// The schema wants enums where JSON has their values.
const text = [
  "import type { Dashboard } from '@grafana/schema'",
  'type Plain<T> = T extends string ? `${T}` : T extends number ? number : T extends boolean ? boolean',
  '  : T extends readonly (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T',
  ...boards.map((board, index) => `export const board${index}: Plain<Dashboard> = ${JSON.stringify(board, null, 1)}`),
].join('\n')

const options = {
  strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
}
const host = ts.createCompilerHost(options)
const { getSourceFile, fileExists, readFile } = host
host.getSourceFile = (file, ...rest) =>
  file === name ? ts.createSourceFile(file, text, ts.ScriptTarget.ES2022) : getSourceFile.call(host, file, ...rest)
host.fileExists = (file) => file === name || fileExists.call(host, file)
host.readFile = (file) => (file === name ? text : readFile.call(host, file))
const found = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host)).map((each) => {
  const line = each.file && each.start !== undefined ? each.file.getLineAndCharacterOfPosition(each.start).line + 1 : 0
  return `${line}: ${ts.flattenDiagnosticMessageText(each.messageText, ' ')} | ${text.split('\n')[line - 1] ?? ''}`
})
process.stdout.write(JSON.stringify(found))
