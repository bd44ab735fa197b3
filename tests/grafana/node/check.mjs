// Type-checks Flux: a JSON list of queries on stdin, a JSON list of lists of "line: message" on stdout.
// The package is made for bundlers, so here its WebAssembly is loaded by hand: instance first, then the glue code,
// which wants the instance while it is read, and to which the instance's imports lead.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = createRequire(import.meta.url)
  .resolve('@influxdata/flux-lsp-browser/package.json').replace(/package\.json$/, '')
const module = new WebAssembly.Module(readFileSync(join(folder, 'flux-lsp-browser_bg.wasm')))
console.info = console.log = console.debug = () => {} // stdout is for the answer
let glue
const imports = {}
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  (imports[from] ??= {})[name] = (...values) => glue[name](...values)
}
globalThis.fluxWasm = new WebAssembly.Instance(module, imports).exports

const scratch = mkdtempSync(join(tmpdir(), 'flux-check-'))
const copy = join(scratch, 'glue.mjs')
writeFileSync(copy, readFileSync(join(folder, 'flux-lsp-browser_bg.js'), 'utf8')
  .replace(/^import \* as wasm from .*$/m, 'const wasm = globalThis.fluxWasm'))
glue = await import(pathToFileURL(copy))
rmSync(scratch, { recursive: true })

const server = new glue.Lsp()
const heard = new Map()
server.onMessage((message) => {
  const { method, params } = JSON.parse(message)
  if (method === 'textDocument/publishDiagnostics') heard.set(params.uri, params.diagnostics)
})
server.run()
await server.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { capabilities: {} } }))
const tell = (method, params) => server.send(JSON.stringify({ jsonrpc: '2.0', method, params }))
await tell('initialized', {})

const answers = []
for (const [number, text] of JSON.parse(readFileSync(0, 'utf8')).entries()) {
  const uri = `file:///folder${number}/query.flux` // files of one folder would be one package
  await tell('textDocument/didOpen', { textDocument: { uri, languageId: 'flux', version: 1, text } })
  for (let turn = 0; turn < 400 && !heard.has(uri); turn++) await new Promise((done) => setTimeout(done, 5))
  const errors = (heard.get(uri) ?? [{ severity: 1, range: { start: { line: -1 } }, message: 'no answer' }])
    .filter((found) => found.severity === 1).map((found) => `${found.range.start.line + 1}: ${found.message}`)
  if (!errors.length && !new glue.Flux(text).is_valid()) errors.push('0: not valid')
  answers.push(errors)
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0))
