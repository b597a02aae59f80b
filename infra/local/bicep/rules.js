// The rules a grammar cannot know. Each takes a template and the set it belongs to, and reports findings.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { body, find, loop, plain, properties, walk } from './template.js';
import { decorators as knownDecorators, functions as knownFunctions, types as knownTypes } from './builtin.js';

const allowedRoles = createRequire(import.meta.url)('./roles.json');
const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const resourceType = /^[A-Za-z]+\.[A-Za-z]+(\/[A-Za-z]+)+@\d{4}-\d{2}-\d{2}(-preview)?$/;
const listed = /\/(tables|queues|containers)@/;

/** syntax: the grammar accepts the whole file. */
export function syntax(template, report) {
  walk(template.root, (node) => {
    if (node.isMissing) report(node, `${node.type} is missing`);
    else if (node.type === 'ERROR') report(node, `cannot be read: ${excerpt(node)}`);
  });
}

/** files: modules, imports, parameter files and loadJsonContent name files that exist; the JSON parses. */
export function files(template, report) {
  const beside = (name) => path.resolve(path.dirname(template.path), name);
  const mustExist = (node) => {
    const name = plain(node);
    if (name === undefined) report(node, 'a path must be a plain string');
    else if (!fs.existsSync(beside(name))) report(node, `${name} does not exist`);
  };
  for (const d of template.declarations) {
    if (d.kind === 'module') mustExist(d.node.namedChildren[1]);
  }
  for (const type of ['import_functionality', 'using_statement']) {
    for (const node of find(template.root, type)) mustExist(node.namedChildren.at(-1));
  }
  for (const call of find(template.root, 'call_expression')) {
    if (call.namedChildren[0].text !== 'loadJsonContent') continue;
    const name = find(call, 'string')[0];
    mustExist(name);
    if (plain(name) !== undefined && fs.existsSync(beside(plain(name)))) json(beside(plain(name)), name, report);
  }
}

function json(file, node, report) {
  try {
    JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    report(node, `${path.basename(file)} is not JSON: ${error.message}`);
  }
}

/** interfaces: a module or template gets every parameter it needs and none it lacks; its outputs exist. */
export function interfaces(template, report, set) {
  if (template.params) return assignments(template, report, set);
  for (const d of template.declarations.filter((x) => x.kind === 'module')) {
    const target = set.beside(template, d.source);
    if (!target) continue;
    compare(target, properties(properties(body(d.node)).get('params')), d.node, report);
    outputs(template, d, target, report);
  }
}

function assignments(template, report, set) {
  const using = find(template.root, 'using_statement')[0];
  const target = using && set.beside(template, plain(using.namedChildren[0]));
  if (!target) return report(template.root, 'a parameter file must name its template with using');
  const given = template.declarations.filter((d) => d.kind === 'var').map((d) => [d.name, d.node]);
  compare(target, new Map(given), using, report);
}

function compare(target, given, node, report) {
  const params = target.declarations.filter((d) => d.kind === 'param');
  for (const p of params) {
    if (!p.hasDefault && !p.nullable && !given.has(p.name)) report(node, `parameter ${p.name} is not passed`);
  }
  for (const [name, value] of given) {
    if (!params.some((p) => p.name === name)) report(value, `there is no parameter ${name}`);
  }
}

function outputs(template, module, target, report) {
  const use = new RegExp(`^${module.name}(\\[[^\\]]*\\])?\\.outputs\\.(\\w+)$`);
  for (const node of find(template.root, 'member_expression')) {
    const name = use.exec(node.text)?.[2];
    if (name && !target.declarations.some((d) => d.kind === 'output' && d.name === name)) {
      report(node, `${module.source} has no output ${name}`);
    }
  }
}

/** names: every name is declared once, known where it is used, and, of a parameter or variable, used. */
export function names(template, report) {
  if (template.params) return;
  const declared = new Set();
  for (const d of template.declarations) {
    const name = `${d.kind === 'output' ? 'output ' : ''}${d.name}`;
    if (declared.has(name)) report(d.node, `${d.name} is declared twice`);
    declared.add(name);
  }
  const imported = find(template.root, 'import_functionality').flatMap((n) =>
    n.namedChildren.filter((c) => c.type === 'identifier').map((c) => c.text));
  imported.forEach((name) => declared.add(name));

  const used = new Set();
  for (const top of template.root.namedChildren) uses(top, declared, used, report);
  const exported = (d) => d.decorators.some((n) => n.text.includes('@export('));
  for (const d of template.declarations) {
    if (['param', 'var', 'type', 'func'].includes(d.kind) && !used.has(d.name) && !exported(d)) {
      report(d.node, `${d.kind} ${d.name} is never used`);
    }
  }
  for (const name of imported) {
    if (!used.has(name)) report(template.root, `import ${name} is never used`);
  }
}

// uses resolves the names of one top-level node. Lambda and loop variables count as known in the whole of it:
// the grammar binds a lambda more tightly than the language does.
function uses(top, declared, used, report) {
  const local = new Set();
  for (const type of ['for_statement', 'lambda_expression', 'parameter', 'resource_declaration']) {
    for (const node of find(top, type)) bound(node).forEach((name) => local.add(name));
  }
  walk(top, (node) => {
    if (node.type !== 'identifier' || isKey(node)) return;
    const name = node.text;
    if (isCallee(node)) {
      const known = find(top, 'decorator').some((d) => d.startIndex <= node.startIndex && node.endIndex <= d.endIndex)
        ? knownDecorators : knownFunctions;
      if (declared.has(name)) used.add(name);
      else if (!known.has(name)) report(node, `there is no function ${name}`);
    } else if (declared.has(name)) used.add(name);
    else if (!local.has(name) && !knownTypes.has(name) && !knownFunctions.has(name)) {
      report(node, `${name} is not declared`);
    }
  });
}

function bound(node) {
  if (node.type === 'lambda_expression') {
    const arrow = node.children.find((c) => c.type === '=>');
    return node.namedChildren.filter((c) => c.endIndex <= arrow.startIndex).flatMap((c) => find(c, 'identifier'))
      .map((c) => c.text);
  }
  if (node.type === 'for_statement') {
    const pair = node.namedChildren.find((c) => c.type === 'for_loop_parameters');
    return pair ? pair.namedChildren.map((c) => c.text) : [node.childForFieldName('initializer').text];
  }
  return [node.namedChildren[0].text];
}

// isKey tells a name that is not a use: a member of an object, the name a declaration makes, an imported name,
// the child a parent::child names.
function isKey(node) {
  const parent = node.parent;
  if (parent.type === 'import_functionality') return true;
  const isFirst = parent.namedChildren[0].equals(node);
  if (parent.type === 'resource_expression') return !isFirst;
  return isFirst && /^object_property$|_declaration$|^user_defined_function$/.test(parent.type);
}

function isCallee(node) {
  return node.parent.type === 'call_expression' && node.parent.namedChildren[0].equals(node);
}

/** versions: every resource names its API version; a child written inside its parent inherits it. */
export function versions(template, report) {
  for (const node of find(template.root, 'resource_declaration')) {
    const type = plain(node.namedChildren[1]);
    const nested = node.parent.type === 'object_property' || node.parent.type === 'object';
    if (nested && /^[A-Za-z]+(\/[A-Za-z]+)*$/.test(type ?? '')) continue;
    if (!resourceType.test(type ?? '')) report(node, `${type ?? 'resource type'} has no API version like @2024-01-01`);
  }
}

/** secrets: no key, password or token is written down, nor put out. */
export function secrets(template, report) {
  for (const node of find(template.root, 'string')) {
    if (/AccountKey=|SharedAccessKey=|[?&]sig=|InstrumentationKey=/.test(node.text)) report(node, 'carries a key');
    else if (/^'[A-Za-z0-9+/]{40,}={0,2}'$/.test(node.text)) report(node, 'looks like a key');
  }
  for (const property of find(template.root, 'object_property')) {
    const [key, value] = property.namedChildren;
    if (value) literalSecret(key.text, value, report);
  }
  for (const d of template.declarations) {
    if (d.kind === 'param' || d.kind === 'var') literalSecret(d.name, d.node.namedChildren.at(-1), report);
    if (d.kind === 'output' && /\blist\w*\(/.test(d.node.text)) report(d.node, 'an output must not carry keys');
  }
}

function literalSecret(name, value, report) {
  if (!/(key|secret|password|pwd|token|connectionstring)'?$/i.test(name)) return;
  const text = plain(value);
  if (text && !text.startsWith('@Microsoft.KeyVault(')) report(value, `${name} is written down`);
}

/** resourceLoops: tables, queues and containers are made from resources.json and nothing else. */
export function resourceLoops(template, report, set) {
  for (const d of template.declarations) {
    if (d.kind !== 'resource' || d.existing || !listed.test(d.source ?? '')) continue;
    const over = loop(d.node);
    if (over && !fromResources(over, template, set)) report(over, `${d.name} is not made from resources.json`);
  }
}

function fromResources(node, template, set) {
  const root = find(node, 'identifier')[0];
  const d = root && template.declarations.find((x) => x.name === root.text);
  if (!d || node.type === 'array') return false;
  if (d.kind === 'var') return /^loadJsonContent\('[^']*\bresources\.json'\)$/.test(d.node.namedChildren.at(-1).text);
  if (d.kind !== 'param') return false;
  const passed = set.callers(template).map(([caller, module]) =>
    [caller, properties(properties(body(module.node)).get('params')).get(d.name)]);
  return passed.length > 0 && passed.every(([caller, value]) => value && fromResources(value, caller, set));
}

/** roles: a role assignment names a role of roles.json, through the exported table whose comments name it. */
export function roles(template, report, set) {
  const table = template.declarations.find((d) => d.kind === 'var' && d.name === 'roles');
  if (table) checkTable(table, report);
  for (const d of template.declarations) {
    if (d.kind !== 'resource' || !/\/roleAssignments@/.test(d.source ?? '')) continue;
    const value = properties(properties(body(d.node)).get('properties')).get('roleDefinitionId');
    const call = /^subscriptionResourceId\('Microsoft\.Authorization\/roleDefinitions', ([^()]+)\)$/.exec(value?.text);
    if (!call) report(value ?? d.node, 'roleDefinitionId must be a built-in role of the subscription');
    else named(call[1], template, set).forEach((problem) => report(value, problem));
  }
}

function checkTable(table, report) {
  const object = table.node.namedChildren.at(-1);
  let comment = '';
  for (const child of object.namedChildren) {
    if (child.type === 'comment') comment = child.text.replace(/^\/\/\s*/, '').trim();
    if (child.type !== 'object_property') continue;
    const value = child.namedChildren[1];
    const name = allowedRoles[plain(value)];
    if (!name) report(value, `${value.text} is not a role of roles.json`);
    else if (name !== comment) report(value, `the comment above must name the role: ${name}`);
    comment = '';
  }
}

function named(expression, template, set) {
  const text = expression.trim();
  const literal = text.replace(/'/g, '');
  if (guid.test(literal)) return allowedRoles[literal] ? [] : [`${literal} is not a role of roles.json`];
  const member = /^roles\.(\w+)$/.exec(text);
  if (member) return set.roleNames(template).has(member[1]) ? [] : [`there is no role ${member[1]}`];
  const choice = /^[^?]+\?([^:]+):(.+)$/s.exec(text);
  if (choice) return [choice[1], choice[2]].flatMap((part) => named(part, template, set));
  const variable = template.declarations.find((d) => d.kind === 'var' && d.name === text);
  if (variable) return named(variable.node.namedChildren.at(-1).text, template, set);
  return [`${text} is not a role of roles.json`];
}

function excerpt(node) {
  const line = node.text.split('\n', 1)[0];
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}
