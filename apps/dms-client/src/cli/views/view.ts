export type { Cell, Facts, Table, View } from '@app/platform';
