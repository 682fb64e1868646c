/** The small company of the demo and who calls it. Telephone numbers are from ranges reserved for fiction. */

export interface Person {
  readonly extension: string;
  readonly name: string;
}

export interface Outsider {
  readonly number: string;
  readonly name: string;
}

/** The first one sits at the reception. */
export const PEOPLE: readonly [Person, ...Person[]] = [
  { extension: '1001', name: 'Amara Okafor' },
  { extension: '1002', name: 'Ben Carter' },
  { extension: '1003', name: 'Chiara Rossi' },
  { extension: '1004', name: 'Daniel Kim' },
  { extension: '1005', name: 'Elena Petrova' },
  { extension: '1006', name: 'Farid Haddad' },
  { extension: '1007', name: 'Grace Lindqvist' },
  { extension: '1008', name: 'Hugo Martins' },
  { extension: '1009', name: 'Inès Dubois' },
  { extension: '1010', name: 'Jonas Weber' },
];

/** Phones that ring together when somebody calls the sales number. */
export const SALES: readonly string[] = ['1003', '1004', '1007'];

export const OUTSIDERS: readonly [Outsider, ...Outsider[]] = [
  { number: '+12025550143', name: 'Harbor Books' },
  { number: '+12025550178', name: 'Northside Dental' },
  { number: '+442079460321', name: 'Fenwick & Sons' },
  { number: '+442079460867', name: 'Ruby’s Bakery' },
  { number: '+12025550119', name: 'City Parcel Service' },
  { number: '+441632960455', name: '' },
  { number: '+12025550162', name: 'Lakeview Hotel' },
  { number: '+441632960787', name: '' },
];

/** The course of a day in the demo: how long each part lasts and which share of the people is on the telephone. */
export const DAY: readonly { readonly name: string; readonly seconds: number; readonly busyShare: number }[] = [
  { name: 'The office opens', seconds: 60, busyShare: 0.35 },
  { name: 'Morning rush', seconds: 240, busyShare: 0.7 },
  { name: 'Lunch', seconds: 60, busyShare: 0.2 },
  { name: 'Afternoon', seconds: 240, busyShare: 0.6 },
  { name: 'Going home', seconds: 45, busyShare: 0.2 },
];
