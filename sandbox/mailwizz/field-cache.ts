import type { Pool, RowDataPacket } from 'mysql2/promise';

export type Field = { field_id: number; tag: string; label: string; default_value: string | null; required: string; visibility: string; identifier: string };
type FieldRow = Field & RowDataPacket;

/** Fields change through this process only, so they are remembered until one of its routes forgets the list. */
export function createFieldCache(pool: Pool) {
  const known = new Map<number, Promise<Field[]>>();
  return {
    of(listId: number): Promise<Field[]> {
      const fields = known.get(listId) ?? read(pool, listId);
      known.set(listId, fields);
      fields.catch(() => known.delete(listId));
      return fields;
    },
    forget: (listId: number) => known.delete(listId),
  };
}
export type FieldCache = ReturnType<typeof createFieldCache>;

async function read(pool: Pool, listId: number): Promise<Field[]> {
  const [rows] = await pool.query<FieldRow[]>(
    'SELECT f.field_id, f.tag, f.label, f.default_value, f.required, f.visibility, t.identifier FROM mw_list_field f JOIN mw_list_field_type t USING (type_id) WHERE f.list_id = ? ORDER BY f.sort_order, f.field_id LIMIT 1000',
    [listId],
  );
  return rows;
}
