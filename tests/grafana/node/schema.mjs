// Checks boards against the types of a newer Grafana: JSON lists of boards on stdin, a JSON list of complaints for each on
// stdout. The types are read once for all of them.
// What @grafana/schema types: the frame of a board, its panels, links, variables and annotations; of a panel its
// options by kind where it has types for them.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ts = createRequire(import.meta.url)('typescript')
const folder = dirname(fileURLToPath(import.meta.url))
// The schema wants enums where JSON has their values.
const makeText = (boards) => [
  "import type { Dashboard } from '@grafana/schema'",
  'type Plain<T> = T extends string ? `${T}` : T extends number ? number : T extends boolean ? boolean',
  '  : T extends readonly (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T',
  ...boards.map((board, index) => `export const board${index}: Plain<Dashboard> = ${JSON.stringify(board, null, 1)}`),
].join('\n')
const lists = JSON.parse(readFileSync(0, 'utf8'))
const texts = new Map(lists.map((boards, index) => [join(folder, `boards${index}.ts`), makeText(boards)]))

const options = {
  strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
}
const host = ts.createCompilerHost(options)
const { getSourceFile, fileExists, readFile } = host
host.getSourceFile = (file, ...rest) =>
  texts.has(file)
    ? ts.createSourceFile(file, texts.get(file), ts.ScriptTarget.ES2022)
    : getSourceFile.call(host, file, ...rest)
host.fileExists = (file) => texts.has(file) || fileExists.call(host, file)
host.readFile = (file) => texts.get(file) ?? readFile.call(host, file)
const program = ts.createProgram([...texts.keys()], options, host)
const found = [...texts].map(([name, text]) =>
  ts.getPreEmitDiagnostics(program, program.getSourceFile(name)).map((each) => {
    const line = each.file && each.start !== undefined ? each.file.getLineAndCharacterOfPosition(each.start).line + 1 : 0
    return `${line}: ${ts.flattenDiagnosticMessageText(each.messageText, ' ')} | ${text.split('\n')[line - 1] ?? ''}`
  }),
)
process.stdout.write(JSON.stringify(found))
