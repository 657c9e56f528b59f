// A text of whatever length: of a long one a part is seen, and the rest scrolled to, by the keyboard too.
const LONG_CHARS = 400;

interface Props {
  children: string;
  as?: 'p' | 'h3';
  id?: string;
  className?: string;
}

export function Text({ children: text, as: Element = 'p', id, className = '' }: Props) {
  if (!text) return null;
  const isLong = text.length > LONG_CHARS || text.includes('\n');
  return (
    <Element id={id} className={`text ${className}`} tabIndex={isLong ? 0 : undefined}>
      {text}
    </Element>
  );
}
