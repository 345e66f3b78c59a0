const { default: Sequencer } = require('@jest/test-sequencer');

/** Unit tests that take long: many promises for each of thousands of runs. */
const LONG = /\/test\/unit\/(histories|interleavings|rules|model)\.spec\.ts$/;

/**
 * Runs the long files first. Node.js walks through every AsyncLocalStorage of the process for each promise, and each test
 * file leaves some behind: after a hundred files the same runs take six times as long.
 */
module.exports = class LongFilesFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const isLong = ({ path }) => LONG.test(path);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
};
