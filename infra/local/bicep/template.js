// Reads a Bicep file with the tree-sitter grammar and offers what the rules ask of it: its declarations,
// and where each name is used. It does not compile: resource schemas and expression types are not known here.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import { Parser, Language } from 'web-tree-sitter';

const require = createRequire(import.meta.url);
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(require.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm')));

const kinds = {
  parameter_declaration: 'param',
  variable_declaration: 'var',
  resource_declaration: 'resource',
  module_declaration: 'module',
  output_declaration: 'output',
  type_declaration: 'type',
  user_defined_function: 'func',
};

/** walk calls visit for a node and all nodes below it, in document order. */
export function walk(node, visit) {
  visit(node);
  for (const child of node.children) walk(child, visit);
}

/** find lists the nodes of one type at or below a node. */
export function find(node, type) {
  const found = [];
  walk(node, (n) => n.type === type && found.push(n));
  return found;
}

/** plain is the text of a string node without interpolation, else undefined. */
export function plain(node) {
  if (node?.type !== 'string' || find(node, 'interpolation').length > 0) return undefined;
  return node.text.replace(/^'|'$/g, '');
}

/** properties maps the keys of an object node to their value nodes. */
export function properties(object) {
  const map = new Map();
  for (const property of object?.namedChildren ?? []) {
    if (property.type !== 'object_property') continue;
    const [key, value] = property.namedChildren;
    if (key && value) map.set(plain(key) ?? key.text, value);
  }
  return map;
}

/** body is the object a resource or module declares, inside its loop and condition. */
export function body(declaration) {
  let node = declaration.namedChildren.at(-1);
  while (node && node.type !== 'object') {
    node = node.childForFieldName('body') ?? node.namedChildren.at(-1);
  }
  return node;
}

/** loop is what a declaration iterates over, or undefined. */
export function loop(declaration) {
  const node = declaration.namedChildren.find((c) => c.type === 'for_statement');
  const inner = node?.childForFieldName('body');
  return node?.namedChildren.filter((c) => c.type !== 'for_loop_parameters' && c.type !== 'comment' &&
    !c.equals(inner) && !c.equals(node.childForFieldName('initializer') ?? inner)).at(0);
}

/** read parses a template or a parameter file. */
export function read(path) {
  const text = fs.readFileSync(path, 'utf8');
  const params = path.endsWith('.bicepparam');
  // The grammar knows templates only. A parameter file's assignments are parsed as variables, which keeps
  // every line and column.
  const source = params ? text.replace(/^param(?= )/gm, 'var  ') : text;
  const root = parser.parse(source).rootNode;
  return { path, params, root, declarations: declarations(root) };
}

function declarations(root) {
  const list = [];
  let decorators = [];
  for (const node of root.namedChildren) {
    if (node.type === 'decorators') {
      decorators.push(node);
      continue;
    }
    if (node.type in kinds) {
      const name = node.namedChildren[0];
      list.push({
        kind: kinds[node.type], name: name.text, node, decorators,
        existing: node.children.some((c) => c.type === 'existing'),
        source: plain(node.namedChildren[1]),
        hasDefault: node.children.some((c) => c.type === '='),
        nullable: node.namedChildren.some((c) => find(c, 'nullable_type').length > 0),
      });
    }
    if (node.type !== 'comment') decorators = [];
  }
  return list;
}
