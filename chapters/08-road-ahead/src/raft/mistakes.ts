/** Mistakes that implementations of Raft have made: each can be switched on, and each breaks it. */

export const mistakes = {
  'forgets its vote': 'The vote is not saved: after a restart a server votes a second time in the same term.',
  'votes for old logs': 'A server votes for a candidate whose log is behind its own.',
  'half is enough': 'Half of the servers count as a majority.',
  'counts old terms': 'A leader takes an entry of an earlier term for committed as soon as a majority has it.',
  'does not compare': 'A follower appends without comparing the entry before.',
  'always cuts': 'A follower cuts its log after what it was sent, although the rest may be newer.',
  'answers before saving': 'A follower says that it has an entry before that is on its disk.',
  'reads alone': 'A leader answers reads from its memory, without knowing whether it is still the leader.',
  'carries out twice': 'A command that a client sends again is carried out again.',
  'believes the leader':
    'A follower takes as committed what the leader has committed, beyond what it knows to be the same.',
} as const

export type Mistake = keyof typeof mistakes
