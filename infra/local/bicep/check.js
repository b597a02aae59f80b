#!/usr/bin/env node
// Checks Bicep templates: node check.js main.bicep [main.bicepparam …]. Modules are followed.
// Exit status 0 when nothing was found, 1 with findings, 2 when called wrongly.
// It is not the Bicep compiler: property names and types of resources are not checked.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { find, plain, properties, read } from './template.js';
import * as rules from './rules.js';

const semantic = [rules.files, rules.interfaces, rules.names, rules.versions, rules.secrets,
  rules.resourceLoops, rules.roles];

class TemplateSet {
  #templates = new Map();

  /** add reads a template and all it reaches through modules, imports and using. */
  add(file) {
    const full = path.resolve(file);
    if (this.#templates.has(full)) return;
    const template = read(full);
    this.#templates.set(full, template);
    for (const name of references(template)) {
      const next = path.resolve(path.dirname(full), name);
      if (fs.existsSync(next)) this.add(next);
    }
  }

  all() {
    return [...this.#templates.values()];
  }

  beside(template, name) {
    return this.#templates.get(path.resolve(path.dirname(template.path), name ?? ''));
  }

  /** callers lists the module declarations that use a template, each with the template it stands in. */
  callers(template) {
    return this.all().flatMap((caller) => caller.declarations
      .filter((d) => d.kind === 'module' && this.beside(caller, d.source) === template)
      .map((d) => [caller, d]));
  }

  /** roleNames are the members of the roles table a template declares or imports. */
  roleNames(template) {
    const imported = find(template.root, 'import_functionality')
      .map((node) => this.beside(template, plain(node.namedChildren.at(-1))));
    const names = new Set();
    for (const t of [template, ...imported.filter(Boolean)]) {
      const table = t.declarations.find((d) => d.kind === 'var' && d.name === 'roles');
      if (table) properties(table.node.namedChildren.at(-1)).forEach((_, name) => names.add(name));
    }
    return names;
  }
}

function references(template) {
  const modules = template.declarations.filter((d) => d.kind === 'module').map((d) => d.source);
  const others = ['import_functionality', 'using_statement']
    .flatMap((type) => find(template.root, type).map((n) => plain(n.namedChildren.at(-1))));
  return [...modules, ...others].filter(Boolean);
}

/** check returns the findings in the given files and all they reach, as {file, line, column, message}. */
export function check(paths) {
  const set = new TemplateSet();
  paths.forEach((file) => set.add(file));
  const findings = [];
  const reporter = (template) => (node, message) => findings.push({
    file: template.path, line: node.startPosition.row + 1, column: node.startPosition.column + 1, message,
  });
  set.all().forEach((t) => rules.syntax(t, reporter(t)));
  // A tree with errors would only breed more of them.
  if (findings.length === 0) {
    for (const t of set.all()) semantic.forEach((rule) => rule(t, reporter(t), set));
  }
  return findings.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
}

function main(paths) {
  if (paths.length === 0) {
    console.error('usage: node check.js main.bicep [main.bicepparam …]');
    return 2;
  }
  const findings = check(paths);
  for (const f of findings) {
    console.error(`${path.relative(process.cwd(), f.file)}:${f.line}:${f.column}: ${f.message}`);
  }
  if (findings.length === 0) console.log(`${paths.length} templates and their modules: nothing found`);
  return findings.length === 0 ? 0 : 1;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
