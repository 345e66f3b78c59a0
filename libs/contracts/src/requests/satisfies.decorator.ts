import { ValidateBy } from 'class-validator';

/** Says what is wrong with a value and what would be right, or null where nothing is. */
export type Rule = (value: unknown) => string | null;

/** Makes a rule of `rules/` a class-validator constraint, so that its sentence is the error's text. */
export function Satisfies(rule: Rule): PropertyDecorator {
  return ValidateBy({
    name: rule.name,
    validator: {
      validate: (value: unknown) => rule(value) === null,
      defaultMessage: (argument) => rule(argument?.value) ?? '',
    },
  });
}
