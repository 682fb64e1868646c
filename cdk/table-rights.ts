/**
 * What each function may do with which items of the table: its role on AWS (stacks/function-role) and the guard of the
 * local stack (local/functions/table-guard) both read it. A batch or transaction is allowed when one action covers every
 * kind of partition that it touches.
 */
import { PARTITION_KINDS, type PartitionKind } from '#table/keys.ts';
import type { FunctionName, TABLE } from './system.ts';

/** A transaction needs the actions that it is made of. */
export type TableAction =
  | 'GetItem'
  | 'BatchGetItem'
  | 'Query'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'BatchWriteItem';
export type IndexName = keyof typeof TABLE.indexes;

export interface TableRights {
  readonly items: Readonly<Partial<Record<TableAction, readonly PartitionKind[]>>>;
  /** Indexes that it may query. They hold keys only. */
  readonly indexes: readonly IndexName[];
}

/** Who sends is looked up, and failed attempts are counted. */
const SIGN_IN = { GetItem: ['TENANT', 'USER', 'FAILURES'], UpdateItem: ['FAILURES'] } as const;
/** A call with its counters, and its record when it ends: one transaction. */
const CALL = ['CALL', 'TENANT', 'RECORDS'] as const;
/** A change by the HTTP API with its line of the audit trail: one transaction. */
const CHANGED = ['AUDIT', 'KEY', 'LIST', 'PRESENTITY', 'TENANT', 'USER'] as const;

export const TABLE_RIGHTS: Readonly<Record<FunctionName, TableRights>> = {
  register: {
    items: { ...SIGN_IN, Query: ['USER', 'MESSAGES'], PutItem: ['USER'], DeleteItem: ['USER'] },
    indexes: [],
  },
  'sign-in': { items: SIGN_IN, indexes: [] },
  subscribe: {
    items: {
      GetItem: [...SIGN_IN.GetItem, 'LIST', 'PRESENTITY'],
      BatchGetItem: ['LIST', 'PRESENTITY', 'USER'],
      Query: ['PRESENTITY', 'USER'],
      PutItem: ['PRESENTITY'],
      UpdateItem: [...SIGN_IN.UpdateItem, 'PRESENTITY'],
      DeleteItem: ['PRESENTITY'],
      BatchWriteItem: ['PRESENTITY'],
    },
    indexes: [],
  },
  publish: {
    items: { ...SIGN_IN, UpdateItem: [...SIGN_IN.UpdateItem, 'PRESENTITY'] },
    indexes: [],
  },
  message: {
    items: {
      GetItem: [...SIGN_IN.GetItem, 'GATEWAY'],
      Query: ['USER', 'MESSAGES'],
      PutItem: ['MESSAGES'],
      UpdateItem: SIGN_IN.UpdateItem,
      DeleteItem: ['USER'],
    },
    indexes: [],
  },
  call: {
    items: {
      GetItem: [...SIGN_IN.GetItem, 'CALL', 'GATEWAY'],
      Query: ['CALL', 'USER'],
      PutItem: CALL,
      UpdateItem: [...SIGN_IN.UpdateItem, ...CALL, 'PRESENTITY'],
    },
    indexes: [],
  },
  'call-report': {
    items: { GetItem: ['CALL', 'TENANT'], PutItem: CALL, UpdateItem: [...CALL, 'PRESENTITY'] },
    indexes: [],
  },
  notify: {
    items: {
      GetItem: ['GATEWAY', 'PRESENTITY', 'TENANT', 'USER'],
      BatchGetItem: ['PRESENTITY', 'USER'],
      Query: ['CALL', 'HISTORY', 'MESSAGES', 'PRESENTITY', 'USER'],
      UpdateItem: ['PRESENTITY', 'TENANT'],
      DeleteItem: ['PRESENTITY', 'TENANT'],
      BatchWriteItem: ['HISTORY', 'MESSAGES', 'PRESENTITY', 'USER'],
    },
    indexes: ['listed'],
  },
  'flow-closed': {
    items: {
      GetItem: ['PRESENTITY'],
      BatchGetItem: ['PRESENTITY'],
      Query: ['PRESENTITY', 'USER', 'MESSAGES'],
      UpdateItem: ['PRESENTITY'],
      DeleteItem: ['MESSAGES', 'PRESENTITY', 'USER'],
      BatchWriteItem: ['PRESENTITY'],
    },
    indexes: [],
  },
  lease: { items: { PutItem: ['GATEWAY'] }, indexes: ['listed'] },
  rotate: { items: {}, indexes: [] },
  /** Puts its own tenant and account, and reads nothing. */
  canary: { items: { PutItem: ['TENANT', 'USER'] }, indexes: [] },
  /** It removes what is left of users and tenants, whatever that is. */
  expire: {
    items: {
      GetItem: ['CALL', 'GATEWAY', 'PRESENTITY', 'TENANT', 'USER'],
      BatchGetItem: PARTITION_KINDS,
      Query: PARTITION_KINDS,
      PutItem: CALL,
      UpdateItem: [...CALL, 'PRESENTITY', 'USER'],
      DeleteItem: ['GATEWAY', 'TENANT', 'USER'],
      BatchWriteItem: PARTITION_KINDS,
    },
    indexes: ['due', 'byGateway', 'listed'],
  },
  api: {
    items: {
      GetItem: ['CALL', 'GATEWAY', 'KEY', 'LIST', 'PRESENTITY', 'SOURCE', 'TENANT', 'USER'],
      BatchGetItem: ['CALL', 'KEY', 'LIST', 'PRESENTITY', 'SOURCE', 'TENANT', 'USER'],
      Query: ['AUDIT', 'CALL', 'HISTORY', 'MESSAGES', 'PRESENTITY', 'RECORDS', 'SOURCE', 'TENANT', 'USER'],
      PutItem: [...CHANGED, 'SOURCE'],
      UpdateItem: [...CHANGED, 'SOURCE'],
      DeleteItem: [...CHANGED, 'SOURCE'],
      BatchWriteItem: ['SOURCE'],
    },
    indexes: ['listed'],
  },
};
