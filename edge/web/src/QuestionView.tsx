// A question to whoever looks, answered in place; and how it ended, also when another was first.
import { memo, useEffect, useId, useRef, useState, type FormEvent, type ReactNode } from 'react';

import type { Clarification } from './events';
import { Text } from './Text';
import type { Outcome, Watcher } from './watcher';

type Attempt = { answer: string; counts: Outcome['counts'] | 'sending'; why: string };

function ending(question: Clarification): string {
  if (question.outcome === 'cancelled') return 'The question was withdrawn.';
  if (question.outcome === 'expired') {
    return question.response === undefined
      ? 'Nobody answered in time.'
      : `Nobody answered in time; taken instead: ${question.response}`;
  }
  return `Answer: ${question.response ?? ''}`;
}

// What came of what was sent from here.
function ownPart(question: Clarification, attempt: Attempt | null): ReactNode {
  if (!attempt || attempt.counts === 'sending' || attempt.counts === 'unknown') return null;
  if (attempt.counts === 'yes') return 'Yours is the answer that counts.';
  const own = <bdi>{attempt.answer}</bdi>;
  return question.outcome === 'answered' ? (
    <>Someone else was first. Your answer “{own}” does not count.</>
  ) : (
    <>Your answer “{own}” came too late.</>
  );
}

export const QuestionView = memo(function QuestionView({ question, watcher }: { question: Clarification; watcher: Watcher }) {
  const [attempt, setAttempt] = useState<Attempt | null>(null);
  const [answer, setAnswer] = useState('');
  const id = useId();
  const isOpen = question.status === 'pending';
  const isSending = attempt?.counts === 'sending';
  const own = ownPart(question, attempt);

  // Who has answered by the keyboard goes on from here, though the form is gone.
  const article = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!isOpen && attempt && document.activeElement === document.body) article.current?.focus();
  }, [isOpen, attempt]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setAttempt({ answer, counts: 'sending', why: '' });
    const { counts, text } = await watcher.answer(question.clarificationId, answer);
    setAttempt({ answer, counts, why: text });
  };
  return (
    <article ref={article} tabIndex={-1} className="card question" data-status={question.status} data-id={question.clarificationId}>
      <p className="about">{isOpen ? 'A question to you' : 'Question'}</p>
      <Text as="h3" id={id}>
        {question.question}
      </Text>
      {isOpen ? (
        <form onSubmit={submit}>
          <div className="row">
            <input
              name="answer"
              aria-labelledby={id}
              placeholder="Your answer"
              autoComplete="off"
              required
              value={answer}
              onChange={(event) => setAnswer(event.target.value)}
            />
            <button disabled={isSending}>Answer</button>
          </div>
          {attempt && <p className="about">{isSending ? 'Sending …' : attempt.counts === 'yes' ? 'Received.' : attempt.why}</p>}
        </form>
      ) : (
        <>
          <Text>{ending(question)}</Text>
          {own && (
            <p className="own" data-counts={attempt?.counts}>
              {own}
            </p>
          )}
        </>
      )}
    </article>
  );
});
