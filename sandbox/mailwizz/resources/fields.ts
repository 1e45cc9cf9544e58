import { error, phpMap, success } from '../answers';
import type { Context } from '../context';
import { storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import { inList, type List } from '../list-store';
import { phpSerialise } from '../php-serialise';
import type { Answer, Call, Route } from '../router';
import { change, type Db, inTransaction, select } from '../sql';

export const fieldRoutes: Route[] = [
  { method: 'GET', path: '/lists/fields/types', name: 'field-types', handle: types },
  { method: 'GET', path: '/lists/{list_uid}/fields', name: 'fields', handle: inList(all) },
  { method: 'POST', path: '/lists/{list_uid}/fields', name: 'create-field', handle: inList(create) },
  { method: 'GET', path: '/lists/{list_uid}/fields/{field_id}', name: 'field', handle: inList(one) },
  { method: 'PUT', path: '/lists/{list_uid}/fields/{field_id}', name: 'update-field', handle: inList(update) },
  { method: 'DELETE', path: '/lists/{list_uid}/fields/{field_id}', name: 'delete-field', handle: inList(remove) },
];

type FieldType = { type_id: number; name: string; identifier: string; description: string };
type Field = {
  field_id: number; tag: string; label: string; required: string; help_text: string | null; description: string | null; default_value: string | null; visibility: string; sort_order: number;
  type_name: string; identifier: string; type_description: string;
};
const selectFields = `SELECT f.field_id, f.tag, f.label, f.required, f.help_text, f.description, f.default_value, f.visibility, f.sort_order, t.name type_name, t.identifier, t.description type_description
  FROM mw_list_field f JOIN mw_list_field_type t USING (type_id) WHERE f.list_id = ?`;
const missing = () => error(404, 'The list field does not exist.');

async function types({ pool }: Context): Promise<Answer> {
  const rows = await select<FieldType>(pool, 'SELECT type_id, name, identifier, description FROM mw_list_field_type ORDER BY type_id');
  return success({ data: { count: String(rows.length), records: rows.map(({ name, identifier, description }) => ({ name, identifier, description })) } });
}

async function all({ pool }: Context, _: Call, { list_id }: List): Promise<Answer> {
  const rows = await select<Field>(pool, `${selectFields} ORDER BY f.sort_order, f.field_id LIMIT 1000`, [list_id]);
  return success({ data: { records: rows.map(describe) } });
}

async function one(context: Context, { params }: Call, list: List): Promise<Answer> {
  const field = await findField(context, list, params['field_id']);
  return field ? success({ data: { record: describe(field) } }) : missing();
}

async function findField({ pool }: Context, { list_id }: List, fieldId: unknown): Promise<Field | undefined> {
  const [field] = await select<Field>(pool, `${selectFields} AND f.field_id = ?`, [list_id, fieldId]);
  return field;
}

const typeOf = ({ type_name, identifier, type_description }: Field) => ({ name: type_name, identifier, description: type_description });
const describe = (field: Field) => ({
  field_id: String(field.field_id), tag: field.tag, label: field.label, required: field.required, help_text: field.help_text, visibility: field.visibility, sort_order: String(field.sort_order), type: typeOf(field),
});

/** What create and update answer: more than a read shows. */
async function describeFully({ pool }: Context, field: Field, list: List) {
  const options = await select<{ name: string; value: string }>(pool, 'SELECT name, value FROM mw_list_field_option WHERE field_id = ? ORDER BY option_id LIMIT 1000', [field.field_id]);
  return {
    field_id: String(field.field_id), label: field.label, tag: field.tag, help_text: field.help_text ?? '', description: field.description ?? '', default_value: field.default_value ?? '', required: field.required,
    visibility: field.visibility, sort_order: String(field.sort_order), type: typeOf(field), list: { list_uid: list.list_uid, display_name: list.display_name },
    options: phpMap(Object.fromEntries(options.map(({ name, value }) => [value, name]))),
  };
}

async function create(context: Context, { form }: Call, list: List): Promise<Answer> {
  const { pool, switches } = context;
  const [type] = await select<FieldType>(pool, 'SELECT type_id, name, identifier, description FROM mw_list_field_type WHERE identifier = ?', [textAt(form, 'type') ?? '']);
  if (!type) return error(switches.validation_code, 'The field type identifier is wrong.');
  const problems = await judge(context, list, form, undefined);
  if (Object.keys(problems).length > 0) return error(switches.validation_code, problems);
  const now = storedDate(context, context.now());
  const fieldId = await inTransaction(pool, async (db) => {
    const { insertId } = await change(db, 'INSERT INTO mw_list_field (type_id, list_id, label, tag, date_added, last_updated) VALUES (?)', [[type.type_id, list.list_id, textAt(form, 'label'), tagOf(form), now, now]]);
    await write(db, insertId, form, now);
    return insertId;
  });
  context.fields.forget(list.list_id);
  const made = await findField(context, list, fieldId);
  return made ? success({ data: { record: await describeFully(context, made, list) } }, switches.create_code) : missing();
}

async function update(context: Context, { form, params }: Call, list: List): Promise<Answer> {
  const { pool, switches } = context;
  const field = await findField(context, list, params['field_id']);
  if (!field) return missing();
  const type = textAt(form, 'type');
  if (type !== undefined && type !== field.identifier) return error(switches.validation_code, 'You are not allowed to change the field type. Please delete the field and re-create it.');
  const problems = await judge(context, list, form, field);
  if (Object.keys(problems).length > 0) return error(switches.validation_code, problems);
  const now = storedDate(context, context.now());
  await inTransaction(pool, async (db) => {
    await change(db, 'UPDATE mw_list_field SET label = ?, tag = ?, last_updated = ? WHERE field_id = ?', [textAt(form, 'label'), field.tag === 'EMAIL' ? 'EMAIL' : tagOf(form), now, field.field_id]);
    await write(db, field.field_id, form, now);
  });
  context.fields.forget(list.list_id);
  const made = await findField(context, list, field.field_id);
  return made ? success({ data: { record: await describeFully(context, made, list) } }) : missing();
}

async function remove(context: Context, { params }: Call, list: List): Promise<Answer> {
  const field = await findField(context, list, params['field_id']);
  if (!field) return missing();
  if (field.tag === 'EMAIL') return error(context.switches.refusal_code, 'The EMAIL field cannot be deleted.');
  await change(context.pool, 'DELETE FROM mw_list_field WHERE field_id = ?', [field.field_id]);
  context.fields.forget(list.list_id);
  return success();
}

const tagOf = (form: PhpMap) => (textAt(form, 'tag') ?? '').toUpperCase();
const choices = { required: ['yes', 'no'], visibility: ['visible', 'hidden', 'none'] };
/** Settings of single types; MailWizz keeps them serialised in one column. */
const typeSettings = ['min_length', 'max_length', 'content_rule', 'content_regex', 'allowed_scheme', 'whitelist_domains', 'blacklist_domains', 'max_stars', 'default_country'];
const maxLength = 255;

async function judge({ pool }: Context, { list_id }: List, form: PhpMap, field: Field | undefined): Promise<Record<string, string>> {
  const problems: Record<string, string> = {};
  if (textAt(form, 'label') === undefined) problems['label'] = 'Label cannot be blank.';
  const tag = tagOf(form);
  if (tag === '') problems['tag'] = 'Tag cannot be blank.';
  else if (!/^[A-Z][A-Z0-9_]{0,49}$/.test(tag)) problems['tag'] = 'The tag is invalid.';
  else {
    const [taken] = await select(pool, 'SELECT 1 FROM mw_list_field WHERE list_id = ? AND tag = ? AND field_id <> ?', [list_id, tag, field?.field_id ?? 0]);
    if (taken) problems['tag'] = `Tag "${tag}" has already been taken.`;
  }
  for (const [key, allowed] of Object.entries(choices)) {
    const given = textAt(form, key);
    if (given !== undefined && !allowed.includes(given)) problems[key] = `${key} is not in the list.`;
  }
  if (Number(textAt(form, 'max_length') ?? 0) > maxLength) problems['max_length'] = `Maximum length is too big (maximum is ${maxLength}).`;
  if (!/^-?\d{0,5}$/.test(textAt(form, 'sort_order') ?? '')) problems['sort_order'] = 'Sort order must be an integer.';
  return problems;
}

/** What is not given stays; options that are given replace the old ones. */
async function write(db: Db, fieldId: number, form: PhpMap, now: string): Promise<void> {
  for (const column of ['required', 'visibility', 'sort_order', 'help_text', 'default_value', 'description']) {
    const value = textAt(form, column);
    if (value !== undefined) await change(db, `UPDATE mw_list_field SET ${column} = ? WHERE field_id = ?`, [value, fieldId]);
  }
  const settings = typeSettings.flatMap((key) => {
    const value = textAt(form, key);
    return value === undefined ? [] : [[key, value] as const];
  });
  if (settings.length > 0) await change(db, 'UPDATE mw_list_field SET meta_data = ? WHERE field_id = ?', [phpSerialise(new Map(settings)), fieldId]);
  const options = mapAt(form, 'options');
  if (!options) return;
  await change(db, 'DELETE FROM mw_list_field_option WHERE field_id = ?', [fieldId]);
  const rows = [...options.values()].flatMap((option) => (option instanceof Map ? [[fieldId, textAt(option, 'name') ?? '', textAt(option, 'value') ?? '', now, now]] : []));
  if (rows.length > 0) await change(db, 'INSERT INTO mw_list_field_option (field_id, name, value, date_added, last_updated) VALUES ?', [rows]);
}
