import { isHang, lengthened, type Silence } from './silence';

const LIMIT = 8_000;

/** The silence after questions that were not answered, each asked at `asked` and given up half the limit later. */
function afterQuestions(...questions: readonly { asked: number; cpuTicks: number | null }[]): Silence | null {
  return questions.reduce<Silence | null>(
    (silence, { asked, cpuTicks }) => lengthened(silence, asked, asked + LIMIT / 2, cpuTicks),
    null,
  );
}

describe('the silence of a daemon', () => {
  it.each([
    ['one question', [{ asked: 0, cpuTicks: 5 }], 4_000, false],
    [
      'two questions',
      [
        { asked: 0, cpuTicks: 5 },
        { asked: 4_000, cpuTicks: 5 },
      ],
      8_000,
      true,
    ],
    [
      'two questions while it works',
      [
        { asked: 0, cpuTicks: 5 },
        { asked: 4_000, cpuTicks: 9 },
      ],
      8_000,
      false,
    ],
    [
      'work before the silence began',
      [
        { asked: 0, cpuTicks: null },
        { asked: 4_000, cpuTicks: 9 },
      ],
      8_000,
      true,
    ],
  ])('is after %s a hang or not', (_name, questions, now, expected) => {
    const silence = afterQuestions(...questions);
    expect(silence !== null && isHang(silence, LIMIT, now)).toBe(expected);
  });

  it('is a hang in the end also of a daemon that goes round in circles', () => {
    let silence: Silence | null = null;
    let now = 0;
    for (let ticks = 0; silence === null || !isHang(silence, LIMIT, now); ticks += 100) {
      silence = lengthened(silence, now, now + LIMIT / 2, ticks);
      now += LIMIT / 2;
      expect(now).toBeLessThanOrEqual(6 * LIMIT);
    }
    expect(now).toBe(6 * LIMIT);
  });
});
